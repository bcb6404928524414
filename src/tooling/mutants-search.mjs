// How a mutant is described, and what a search for its violation takes where nothing else is said.

export const edit = (file, find, put) => ({ file, find, put });

/** At most so many generated histories, each of so much virtual time with faults. */
export const usualSeeds = 300;
export const usualRunMs = 150_000;

/** All that a search needs, completed. Set-ups and faults: undefined for all there are. */
export function completed(mutant) {
  return { runMs: usualRunMs, seeds: usualSeeds, scenarios: [], ...mutant };
}
