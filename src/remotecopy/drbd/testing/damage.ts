/** Damaged texts, the same ones in every run: cut, flipped, lines and cells lost, doubled, moved. */

export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Random = (below: number) => number;
type Damage = (text: string, random: Random) => string;

const junk = ["\u0000", "\u001b[31m", "xx", " ", "\n", ":", "role:", "{", '"', "é", "0", ","];

function onParts(text: string, by: string, alter: (parts: string[]) => void): string {
  const parts = text.split(by);
  alter(parts);
  return parts.join(by);
}

function swap(parts: string[], one: number, other: number): void {
  [parts[one], parts[other]] = [parts[other] as string, parts[one] as string];
}

const kinds: readonly Damage[] = [
  (text, random) => text.slice(0, random(text.length)),
  (text, random) => text.slice(random(text.length)),
  (text, random) => {
    const at = random(text.length);
    return `${text.slice(0, at)}${String.fromCharCode(32 + random(95))}${text.slice(at + 1)}`;
  },
  (text, random) => {
    const [at, length] = [random(text.length), 1 + random(12)];
    return text.slice(0, at) + text.slice(at + length);
  },
  (text, random) => {
    const at = random(text.length);
    return `${text.slice(0, at)}${junk[random(junk.length)] ?? ""}${text.slice(at)}`;
  },
  ...["\n", " "].flatMap((by): Damage[] => [
    (text, random) => onParts(text, by, (parts) => parts.splice(random(parts.length), 1)),
    (text, random) =>
      onParts(text, by, (parts) => {
        const at = random(parts.length);
        parts.splice(random(parts.length), 0, parts[at] ?? "");
      }),
    (text, random) =>
      onParts(text, by, (parts) => swap(parts, random(parts.length), random(parts.length))),
  ]),
];

/** One to three damages. */
export function damaged(text: string, random: Random): string {
  let result = text;
  for (let left = 1 + random(3); left > 0; left--) {
    result = (kinds[random(kinds.length)] as Damage)(result, random);
  }
  return result;
}
