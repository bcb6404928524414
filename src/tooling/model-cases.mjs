// Every case of the model: what must hold, and each mistake that must be found violated.
// Names are those of docs/model.md. All but the cases of `full` run in CI.

const two = { file: "takeover.pml" };
const small = { CMAX: 1, NORENOUNCE: true };
const witness = { file: "witness.pml" };
const deciders = { file: "deciders.pml" };
const hosts = { file: "hosts.pml" };

const must = (name, base, flags, more = {}) => ({
  name,
  ...base,
  flags,
  expect: "holds",
  search: "depth",
  ...more,
});
const mistake = (name, base, flags, more = {}) => ({
  name,
  ...base,
  flags,
  expect: "violated",
  search: "breadth",
  ...more,
});

export const cases = [
  must("two sites", two, small),
  must("two sites, given away for good", two, { ...small, QUIESCE: true }),
  must("two sites, one attested off", two, { ...small, ATTEST: true }),
  must("two sites, takeover resumed", two, { ...small, RESUME: true }),
  must("two sites, long watchdog", two, { ...small, TWD: 2, NOFORCE: true }),
  must("several hosts serve", hosts, { TL: 2 }),

  mistake("bare rule", two, { ...small, BARE: true }),
  mistake("own write renews", two, { ...small, OWNWRITE: true }),
  mistake("lease from the arrival", two, { ...small, ARRIVAL: true }),
  mistake("echo of an old start", two, { ...small, BADINC: true }),
  mistake("silence over a restart", two, { ...small, BOOTSILENCE: true }),
  mistake("wait one tick short", two, { ...small, TW: 3 }),
  mistake("watchdog counted once", two, { ...small, TWD: 2, TW: 4 }),
  mistake("no guard", two, { CMAX: 1, NOGUARD: true }),
  mistake("forced on a solo site", two, { CMAX: 1, FORCESOLO: true }),
  mistake("guard of before renouncing", two, { CMAX: 1, OLDECHO: true }),
  mistake("RENOUNCED out of order", two, { CMAX: 1, LATERENOUNCED: true }),
  mistake("revocable quiesce", two, { ...small, QUIESCE: true, REVOCABLE: true }),
  mistake("handover taken back", two, { ...small, CMAX: 2, HANDTAKE: true }),
  mistake("guard across terms", two, { ...small, CMAX: 3, NOFORCE: true, GUARDTERM: true }),
  mistake("echo while closing", two, { ...small, CLOSINGECHO: true }),
  mistake("stale gate", two, { ...small, STALEGATE: true }),
  mistake("takeover resumed unguarded", two, { ...small, RESUMESOLO: true }),

  mistake("no grant of the witness", witness, { NOWITNESS: true }),
  mistake("witness renews after it", witness, { RENEWSAFTER: true }),
  mistake("standby trusts its wait", witness, { OWNWAITONLY: true }),
  mistake("witness restarts silent", witness, { WITNESSSILENCE: true }),
  mistake("forgetful witness", witness, { FORGETFUL: true }),
  mistake("grant of an old witness", witness, { STALEGRANT: true }),

  mistake("wait for one host alone", hosts, { ONEWAIT: true }),
  mistake("guard of one host alone", hosts, { ONEGUARD: true }),

  must("two sites, renouncing", two, { CMAX: 1 }, { full: true }),
  must("two sites, two counters", two, { ...small, CMAX: 2, QUIESCE: true }, { full: true }),
  must("witness that may forget", witness, {}, { full: true, depth: 3_000_000 }),
];
