/**
 * One change of a pair, for every provider alike: identity, state before, the array's commands,
 * state after. What became of it is told from the states alone. A change that was cut short, or
 * whose end cannot be seen, is `indeterminate`: look again before anything is tried again.
 * An answer that may be older than the commands says nothing of what became of them.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";
import type {
  Capabilities,
  Change,
  FaultClass,
  Identity,
  IdentityAnswer,
  PairAnswer,
  PairProvider,
  PairView,
  Performed,
} from "./provider.ts";

type Known = Extract<PairAnswer, { ok: true }>;

export type Outcome = {
  readonly kind: "done" | "noop" | "in-progress" | "refused" | "indeterminate";
  /** null unless refused or indeterminate. */
  readonly class: FaultClass | null;
  /** One line for people. */
  readonly message: string;
  readonly before: PairAnswer | null;
  readonly after: PairAnswer | null;
  /** What was sent to the array, or would have been. */
  readonly commands: readonly string[];
};

export type ChangeOptions = {
  /** The configured identity of this end; null where none is. */
  readonly expected: string | null;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly queryLimitMs: number;
  readonly changeLimitMs: number;
  /** The clock of the provider's `observedMs`. */
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
};

/** Between looks at what became of a change, and how long what it reached may take to show. */
const lookEveryMs = 200;
const settleMs = 3000;

const isCopy = ({ state }: PairView): boolean => state === "paired" || state === "copying";
const isSuspended = ({ state }: PairView): boolean =>
  state === "suspended-by-operator" || state === "suspended-by-error";

export type Hindrance = { readonly reason: string; readonly forcible: boolean };

type Rule = {
  /** Where it need not be done any more; `began` is this end before the change. */
  readonly isDone: (view: PairView, began: PairView) => boolean;
  /** On its way there without more to do. */
  readonly isUnderWay: (view: PairView, began: PairView) => boolean;
  /** null where it may begin, else why not, and whether force overrides that. */
  readonly hinders: (known: Known, capabilities: Capabilities) => Hindrance | null;
};

const no = (reason: string): Hindrance => ({ reason, forcible: false });
const unlessForced = (reason: string): Hindrance => ({ reason, forcible: true });

/** The other end was asked and did not answer; where it never does, its array must know. */
const isBlind = ({ remote }: Known, { remoteQuery }: Capabilities): boolean =>
  remoteQuery && remote === null;

const opposite = (view: PairView, began: PairView): boolean =>
  (began.role === "primary" && view.role === "secondary") ||
  (began.role === "secondary" && view.role === "primary");

/** What a resync is refused with where this end was taken over. */
const wayBack = ({ verbs }: Capabilities): string =>
  verbs.includes("swap")
    ? "a takeover stands: `pair swap --force` copies back over the other site; where the array " +
      "refuses that, remove the pair and make it anew"
    : "a takeover stands, and this remote copy has no swap to copy back with";

/** What each verb is meant to reach, and from where it may begin. */
export const changeRules: Readonly<Record<PairVerb, Rule>> = {
  create: {
    isDone: (view) => view.state === "paired",
    isUnderWay: (view) => view.state === "copying",
    hinders: ({ local }) =>
      local.state === "simplex" ? null : no(`there is a pair already, ${local.state}`),
  },
  split: {
    isDone: (view) => view.state === "suspended-by-operator",
    isUnderWay: () => false,
    hinders: ({ local }) => (isCopy(local) ? null : no(`nothing to split: ${local.state}`)),
  },
  resync: {
    isDone: (view) => view.state === "paired",
    isUnderWay: (view) => view.state === "copying",
    hinders: (known, capabilities) => {
      if (known.remote?.state === "takeover") {
        return no("the other site took its volume over: a resync would overwrite it");
      }
      const { state } = known.local;
      if (state === "takeover") return no(wayBack(capabilities));
      if (!isSuspended(known.local)) return no(`nothing to resynchronise: ${state}`);
      if (!isBlind(known, capabilities)) return null;
      return unlessForced("the other end cannot be asked: if taken over, it would be overwritten");
    },
  },
  swap: {
    isDone: (view, began) => view.state === "paired" && opposite(view, began),
    isUnderWay: (view, began) => view.state === "copying" && opposite(view, began),
    hinders: (known, capabilities) => {
      const { local, remote } = known;
      if (local.state === "takeover") {
        return unlessForced("taken over: a swap copies back, over what the other site wrote since");
      }
      if (local.state !== "paired") return no(`only a paired pair is swapped: ${local.state}`);
      if (isBlind(known, capabilities)) {
        return no("the other end cannot be asked, so it is not known to be paired");
      }
      return !remote || remote.state === "paired" ? null : no(`the other end is ${remote.state}`);
    },
  },
  takeover: {
    // Where this end was the primary, all the rest is so without any takeover.
    isDone: (view, began) =>
      began.role !== "primary" &&
      view.state !== "unknown" &&
      view.writable === true &&
      (view.state === "takeover" || view.role === "primary"),
    isUnderWay: () => false,
    hinders: ({ local }) => {
      if (local.role === "primary") return no("this end is the primary already");
      if (local.state === "simplex" || local.role === "none") return no("there is no pair");
      if (local.state === "copying") {
        return unlessForced("the copy is not complete: what it holds is of no use");
      }
      if (local.state === "paired") return null;
      return unlessForced(`this end is ${local.state}: what the other site wrote since is lost`);
    },
  },
  remove: {
    isDone: (view) => view.state === "simplex",
    isUnderWay: () => false,
    hinders: () => null,
  },
};

/** Why the identity forbids a change; null where it is the expected volume. */
export function identityFault(answer: IdentityAnswer, expected: string | null): string | null {
  if (!answer.ok) return `which volume this is cannot be told: ${answer.message}`;
  const { own } = answer.identity;
  if (expected === null) {
    return `no identity is configured for this end; if it is this volume, add: identity = "${own}"`;
  }
  const mismatch = identityMismatch(answer.identity, expected);
  return mismatch === null ? null : `${mismatch}; nothing was changed`;
}

/** null where it is the expected volume. */
export const identityMismatch = ({ own }: Identity, expected: string): string | null =>
  own === expected ? null : `this is volume ${own}, but ${expected} is configured`;

const text = (view: PairView): string =>
  `${view.state}, ${view.role}${view.native ? ` (${view.native})` : ""}`;

/** Carries one change out, or says why not; never throws. */
export async function changePair(
  provider: PairProvider,
  verb: PairVerb,
  options: ChangeOptions,
): Promise<Outcome> {
  const refuse = (
    faultClass: FaultClass,
    message: string,
    before: PairAnswer | null = null,
    commands: readonly string[] = [],
  ): Outcome => ({ kind: "refused", class: faultClass, message, before, after: before, commands });

  if (!provider.capabilities.verbs.includes(verb)) {
    return refuse("unsupported", `this remote copy has no ${verb}`);
  }
  const identified = await provider.identify(options.queryLimitMs);
  const foreign = identityFault(identified, options.expected);
  if (foreign !== null) {
    return refuse(identified.ok ? "identity" : identified.class, foreign);
  }
  const scope = provider.capabilities.remoteQuery ? "both" : "local";
  const before = await provider.query(scope, options.queryLimitMs);
  if (!before.ok) {
    return refuse(before.class, `its state cannot be told: ${before.message}`, before);
  }
  const rule = changeRules[verb];
  if (verb !== "swap" && rule.isDone(before.local, before.local)) {
    const message = `nothing to do: ${text(before.local)}`;
    return { kind: "noop", class: null, message, before, after: before, commands: [] };
  }
  const change: Change = { verb, before, force: options.force };
  const commands = provider.commands(change);
  if (verb !== "swap" && rule.isUnderWay(before.local, before.local)) {
    const message = `under way already: ${text(before.local)}`;
    return { kind: "in-progress", class: null, message, before, after: before, commands: [] };
  }
  const hindrance = rule.hinders(before, provider.capabilities);
  if (hindrance !== null && !(hindrance.forcible && options.force)) {
    const remedy = hindrance.forcible ? "; --force overrides this" : "";
    return refuse("wrong-state", `${hindrance.reason}${remedy}`, before, commands);
  }
  if (options.dryRun) {
    const message = `would be sent while ${text(before.local)}`;
    return { kind: "noop", class: null, message, before, after: before, commands };
  }
  return performAndLook(provider, change, commands, options);
}

async function performAndLook(
  provider: PairProvider,
  change: Change,
  commands: readonly string[],
  options: ChangeOptions,
): Promise<Outcome> {
  const sentMs = options.nowMs();
  const performed = await provider.perform(change, options.changeLimitMs);
  const endedMs = options.nowMs();
  const { before, verb } = change;
  if (performed.kind === "not-begun") {
    const { class: faultClass, message } = performed.fault;
    return { kind: "refused", class: faultClass, message, before, after: before, commands };
  }
  const rule = changeRules[verb];
  const limitMs = Math.max(sentMs + options.changeLimitMs, endedMs + settleMs);
  let untilMs = endedMs + settleMs;
  for (;;) {
    const after = await provider.query("local", options.queryLimitMs);
    const base = { before, after, commands };
    const isYounger = after.ok && after.observedMs >= sentMs;
    if (isYounger && rule.isDone(after.local, before.local)) {
      return { kind: "done", class: null, message: text(after.local), ...base };
    }
    if (isYounger && rule.isUnderWay(after.local, before.local)) {
      return { kind: "in-progress", class: null, message: text(after.local), ...base };
    }
    const lookedMs = options.nowMs();
    // It tells an age: the settle time begins with the first answer from after the commands.
    const isOld = after.ok && after.observedMs < endedMs;
    if (isOld) untilMs = Math.min(limitMs, lookedMs + settleMs);
    if (lookedMs >= untilMs) return undecided(base, performed, isOld);
    await options.pause(lookEveryMs);
  }
}

/** Neither reached nor on its way: refused only if nothing has changed once the commands ended. */
function undecided(
  base: Pick<Outcome, "after" | "commands"> & { readonly before: Known },
  performed: Exclude<Performed, { kind: "not-begun" }>,
  isOld: boolean,
): Outcome {
  const { before, after } = base;
  const { detail } = performed;
  const isLeft = after?.ok && !isOld && sameState(after.local, before.local);
  if (isLeft && performed.kind === "ended") {
    const message = `the array left it ${text(after.local)}: ${detail}`;
    return { kind: "refused", class: "array-rejected", message, ...base };
  }
  const seen = after?.ok ? text(after.local) : (after?.message ?? "not known");
  const now = isOld ? `not known, before that ${seen}` : `now: ${seen}`;
  const message = `${detail}; ${now}; query it before anything else`;
  const faultClass = after && !after.ok ? after.class : "timeout";
  return { kind: "indeterminate", class: faultClass, message, ...base };
}

/** Two unknown states may differ. */
const sameState = (a: PairView, b: PairView): boolean =>
  a.state === b.state && a.role === b.role && a.state !== "unknown";
