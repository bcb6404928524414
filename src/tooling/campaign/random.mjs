// Random numbers by a seed: the same seed chooses the same faults.

/** mulberry32; a number from 0 up to 1. */
export function randomBy(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    between: (least, most) => least + next() * (most - least),
    whole: (least, most) => least + Math.floor(next() * (most - least + 1)),
    isTrue: (share) => next() < share,
    one: (list) => list[Math.floor(next() * list.length)],
    /** One of a table by its weights: { name: { weight } }. */
    weighted(table) {
      const entries = Object.entries(table);
      let left = next() * entries.reduce((sum, [, { weight }]) => sum + weight, 0);
      for (const [name, { weight }] of entries) {
        left -= weight;
        if (left < 0) return name;
      }
      return entries[0][0];
    },
  };
}
