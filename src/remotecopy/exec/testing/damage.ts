/** Texts damaged as pipes, terminals and half-written programs do it; the same for the same seed. */
export type Random = () => number;

/** Numbers from 0 up to, not including, 1. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const junk = ["\0", "\u00ff", "}", "{", '"', ",", "\n", "null", "[]", "warning: link is slow\n"];

/** One damage of many kinds; cells are what stands between commas, lines between newlines. */
export function damage(text: string, random: Random): string {
  const at = (length: number): number => Math.floor(random() * length);
  const place = at(text.length + 1);
  switch (at(7)) {
    case 0:
      return text.slice(0, place);
    case 1:
      return text.slice(place);
    case 2: {
      const bit = 1 << at(7);
      const flipped = String.fromCharCode(text.charCodeAt(Math.min(place, text.length - 1)) ^ bit);
      return text.slice(0, place) + flipped + text.slice(place + 1);
    }
    case 3:
      return text.slice(0, place) + (junk[at(junk.length)] ?? "") + text.slice(place);
    case 4:
      return text.slice(0, place) + text.slice(place + 1 + at(20));
    case 5: {
      const cells = text.split(",");
      const [from, to] = [at(cells.length), at(cells.length)];
      cells.splice(to, random() < 0.5 ? 0 : 1, cells[from] ?? "");
      return cells.join(",");
    }
    default:
      return text + text.slice(place);
  }
}
