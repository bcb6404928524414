/** Damage to a command's text, the same for the same seed: cut, flipped, dropped, doubled, swapped. */

export type Random = (below: number) => number;

/** mulberry32: small, and good enough to choose damage. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefxyz0123456789 ()-.,/%#=[]\n\t\0\u00e9\ufffd".split(
  "",
);
const junk = (random: Random, length: number): string =>
  Array.from({ length }, () => letters[random(letters.length)]).join("");

type Damage = (text: string, random: Random) => string;

const onLines =
  (edit: (lines: string[], random: Random) => void): Damage =>
  (text, random) => {
    const lines = text.split("\n");
    edit(lines, random);
    return lines.join("\n");
  };

/** Cells with the blanks before them, so that what is not touched stays as it is. */
const onCells = (edit: (cells: string[], random: Random) => void): Damage =>
  onLines((lines, random) => {
    const at = random(lines.length);
    const cells = (lines[at] ?? "").match(/\s*\S+/g) ?? [];
    if (cells.length < 2) return;
    edit(cells, random);
    lines[at] = cells.join("");
  });

const damages: readonly Damage[] = [
  (text, random) => text.slice(0, random(text.length + 1)),
  (text, random) => text.slice(random(text.length + 1)),
  (text, random) => {
    const at = random(text.length + 1);
    return text.slice(0, at) + junk(random, 1) + text.slice(at + 1);
  },
  (text, random) => {
    const at = random(text.length + 1);
    return text.slice(0, at) + junk(random, 1 + random(6)) + text.slice(at);
  },
  (text, random) => {
    const at = random(text.length + 1);
    return text.slice(0, at) + text.slice(at + 1 + random(12));
  },
  onLines((lines, random) => lines.splice(random(lines.length), 1)),
  onLines((lines, random) => {
    const line = lines[random(lines.length)] ?? "";
    lines.splice(random(lines.length), 0, line);
  }),
  onLines((lines, random) => {
    const [a, b] = [random(lines.length), random(lines.length)];
    [lines[a], lines[b]] = [lines[b] ?? "", lines[a] ?? ""];
  }),
  onCells((cells, random) => cells.splice(random(cells.length), 1)),
  onCells((cells, random) =>
    cells.splice(random(cells.length), 0, cells[random(cells.length)] ?? ""),
  ),
  onCells((cells, random) => {
    const [a, b] = [random(cells.length), random(cells.length)];
    [cells[a], cells[b]] = [cells[b] ?? "", cells[a] ?? ""];
  }),
];

/** One to three damages. */
export function damaged(text: string, random: Random): string {
  let result = text;
  for (let left = 1 + random(3); left > 0; left--) {
    result = damages[random(damages.length)]?.(result, random) ?? result;
  }
  return result;
}
