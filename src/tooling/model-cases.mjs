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
  search: "breadth",
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

const locks = { NORENOUNCE: true };

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
  mistake("no guard", two, { CMAX: 1, NOFORCE: true, NOGUARD: true }),
  mistake("forced on a solo site", two, { CMAX: 1, FORCESOLO: true }),
  mistake("guard of before renouncing", two, { CMAX: 1, NOFORCE: true, OLDECHO: true }),
  mistake("RENOUNCED out of order", two, { CMAX: 1, NOFORCE: true, LATERENOUNCED: true }),
  mistake("revocable quiesce", two, { ...small, QUIESCE: true, REVOCABLE: true }),
  mistake("handover taken back", two, { ...small, CMAX: 2, HANDTAKE: true }),
  mistake("guard across terms", two, { ...small, CMAX: 3, NOFORCE: true, GUARDTERM: true }),
  mistake("echo while closing", two, { ...small, CLOSINGECHO: true }),
  mistake("stale gate", two, { ...small, STALEGATE: true }),
  mistake("takeover resumed unguarded", two, { ...small, CMAX: 2, RESUMESOLO: true }),

  mistake("no grant of the witness", witness, { NOWITNESS: true }),
  mistake("witness renews after it", witness, { RENEWSAFTER: true }),
  mistake("the witness's wait alone", witness, { OWNWAITONLY: true }),
  mistake("witness's wait over a restart", witness, { WITNESSSILENCE: true }),
  mistake("forgetful witness", witness, { FORGETFUL: true }),
  mistake("blank witness trusts too soon", witness, { BLANKEAGER: true }),
  mistake("grant of an old witness", witness, { STALEGRANT: true }),

  mistake("echo without the lock", deciders, { ...locks, UNLOCKEDECHO: true }),
  mistake("claim not read after", deciders, { ...locks, UNREAD: true }),
  mistake(
    "claim forgets an early read",
    deciders,
    { ...locks, EARLYREAD: true },
    { full: true, search: "depth" },
  ),
  mistake("lapsed lock renewed", deciders, { ...locks, REVIVE: true }),
  mistake("lock's wait one tick short", deciders, { ...locks, TLW: 1 }),
  mistake("new decider inherits silence", deciders, { ...locks, INHERIT: true }),
  mistake("lock not confirmed", deciders, { ...locks, UNCONFIRMED: true }),

  mistake("wait for one host alone", hosts, { ONEWAIT: true }),
  mistake("guard of one host alone", hosts, { ONEGUARD: true }),

  mistake("reached: two sites", two, { ...small, REACH: true }),
  mistake("reached: witness", witness, { REACH: true }),
  mistake("reached: deciders", deciders, { ...locks, REACH: true }),
  mistake("reached: several hosts", hosts, { REACH: true }),

  // A mistake elsewhere; here each way to a new term leads through a stop or a whole wait.
  must(
    "lease kept over terms",
    two,
    { CMAX: 3, NORENOUNCE: true, NOFORCE: true, TERMLEASE: true },
    { full: true },
  ),
  must("deciders of one site", deciders, locks, { full: true }),
  must("witness that may forget", witness, {}, { full: true }),
  must("two sites, renouncing", two, { CMAX: 1 }, { full: true }),
  must("two sites, two counters", two, { ...small, CMAX: 2, QUIESCE: true }, { full: true }),
];
