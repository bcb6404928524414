// Every case of the model: what must hold, and each mistake that must be found. `quick` cases and
// all mistakes run in CI. Names are those of docs/model.md.

/** What must hold; `quick`: in CI too. Full sizes are searched by `build.sh model` alone. */
const holds = [
  { name: "two sites", file: "takeover.pml", flags: { CMAX: 1 }, quick: { NORENOUNCE: true } },
  { name: "two sites, renouncing", file: "takeover.pml", flags: { CMAX: 1 }, only: "full" },
];
export { holds };
