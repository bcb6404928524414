/**
 * Damaged answers, the same ones in each run: cut, changed, doubled, exchanged or enriched with
 * junk. Every one of them differs from what it was made from.
 */

/** Numbers in [0, 1) from a seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const junk = [
  "\u0000",
  "<",
  "&",
  '"',
  "{",
  "}",
  "]",
  ",",
  "\\",
  "?>",
  "\ufffd",
  "Paired",
  "0",
  " ",
];

type Span = readonly [from: number, to: number];

/** Where the cells are: first group of each match, or the whole of it. */
function cellsOf(text: string, cell: RegExp): readonly Span[] {
  return [...text.matchAll(cell)].map((match): Span => {
    const value = match[1] ?? match[0];
    const from = match.index + match[0].indexOf(value);
    return [from, from + value.length];
  });
}

function once(text: string, cell: RegExp, random: () => number): string {
  const below = (limit: number): number => Math.floor(random() * limit);
  const at = below(text.length);
  const cells = cellsOf(text, cell);
  const one = cells[below(cells.length)] ?? [0, 0];
  const two = cells[below(cells.length)] ?? [0, 0];
  const [first, second] = one[0] <= two[0] ? [one, two] : [two, one];
  const line = (): Span => {
    const from = text.lastIndexOf("\n", at - 1) + 1;
    const to = text.indexOf("\n", at);
    return [from, to < 0 ? text.length : to + 1];
  };
  switch (below(8)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + below(30));
    case 2:
      return text.slice(0, at) + String.fromCharCode(below(128)) + text.slice(at + 1);
    case 3:
      return text.slice(0, at) + (junk[below(junk.length)] ?? "") + text.slice(at);
    case 4:
      return text.slice(0, line()[0]) + text.slice(line()[1]);
    case 5:
      return text.slice(0, line()[1]) + text.slice(line()[0]);
    case 6:
      return text.slice(0, one[0]) + text.slice(one[1]);
    default:
      if (first[1] > second[0]) return text;
      return (
        text.slice(0, first[0]) +
        text.slice(...second) +
        text.slice(first[1], second[0]) +
        text.slice(...first) +
        text.slice(second[1])
      );
  }
}

/** `count` damaged texts; `cell` is a global expression that finds what a value is. */
export function* damaged(
  text: string,
  cell: RegExp,
  count: number,
  seed: number,
): Generator<string> {
  const random = seeded(seed);
  for (let made = 0; made < count; ) {
    let other = text;
    for (let hits = 1 + Math.floor(random() * 3); hits > 0; hits--)
      other = once(other, cell, random);
    if (other === text) continue;
    made += 1;
    yield other;
  }
}
