/** What the records of our own PVOLs tell of the other hosts of our site. */
import { ownHost, ownSite } from "../base/config.ts";
import { ownerOf, type RoleChange } from "../decision.ts";
import { comparePositions } from "../record.ts";
import { recordFlags, roles } from "../sector/layout.ts";
import { ownsTerm } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { learnTerm } from "./learn.ts";
import { seeClaim, seeEpoch } from "./lock.ts";
import type { Input, Sibling, State, Step } from "./state.ts";

/** How long a sibling's last beat speaks for it. */
function siblingLimitMs(state: State): number {
  const { intervalMs, marginMs, pollMs } = state.config.timing;
  return intervalMs + marginMs + pollMs;
}

/**
 * Siblings that beat now and say that they are active, or about to be, in our term. A takeover that
 * stopped half-way is not under way: with no service there, another host may be told to go on.
 */
export function busySiblings(state: State): readonly string[] {
  return Object.entries(state.siblings)
    .filter(([, sibling]) => {
      const isUnderWay =
        sibling.role === roles.transitioning &&
        (takesOver(sibling) || (sibling.flags & recordFlags.quiesced) === 0);
      const busy = sibling.role === roles.active || isUnderWay;
      return busy && isFresh(state, sibling) && sibling.term >= state.term;
    })
    .map(([name]) => name);
}

/**
 * It is active by a service of its own. Whoever is active only after another one says that nothing
 * runs there: it is nobody's example, or two would follow each other.
 */
const isExample = ({ role, flags }: Pick<Sibling, "role" | "flags">): boolean =>
  role === roles.active && (flags & (recordFlags.quiesced | recordFlags.beacon)) === 0;

/** A sibling that fell silent is not active any more for all that we know. */
export function agedSiblings(state: State): State {
  if (!state.siblingActive) return state;
  const still = Object.values(state.siblings).some(
    (sibling) =>
      isExample(sibling) &&
      sibling.term === state.term &&
      state.nowMs - sibling.seenMs <= siblingLimitMs(state),
  );
  return still ? state : { ...state, siblingActive: false };
}

/** The site's role is one: a host whose sibling took over under our term is active too. */
export function siblingChange(state: State): RoleChange | null {
  // Under leases each host is active by its own grant.
  if (!ownsTerm(state) || state.takeover || state.handover || isArmed(state)) return null;
  if (state.role === "fenced" || state.role === "stopped") return null;
  if (state.siblingActive && state.role !== "active") {
    return { role: "active", reason: "a host of this site is active in our term" } as const;
  }
  if (!state.siblingActive && state.role === "active" && !state.servesHere) {
    const reason = "the host of this site that was active is silent; mirrorbeat takeover here?";
    return { role: "standby", reason } as const;
  }
  return null;
}

export function seeSibling(before: State, input: Extract<Input, { kind: "sibling" }>): Step {
  const { record } = input;
  // Our own slot, from before this start: its term counts, and it is nobody's beat.
  if (record.hostName === before.config.self.host) {
    return learnTerm(seeEpoch(before, record.lockEpoch), record.term, record.hostName);
  }
  const host = ownSite(before.config).hosts.find(({ slot }) => slot === record.slot);
  // Another host than the configured one: its term counts, and nothing else that it says.
  if (host?.name !== record.hostName) return learnTerm(before, record.term, record.hostName);
  const was = before.siblings[record.hostName];
  const advanced = !was || comparePositions(record, was.at) > 0;
  if (!advanced) return learnTerm(before, record.term, record.hostName);
  const at = { incarnation: record.incarnation, serial: record.serial };
  const advances = was ? was.advances + 1 : 0;
  const { role, term } = record;
  const { command, commandKind, commandMirror } = record;
  const { commandSeen, commandDone, commandDoneBefore, commandFault } = record;
  const told = {
    command, commandKind, commandMirror, commandSeen, commandDone, commandDoneBefore,
    commandFault,
  }; // biome-ignore format: one list
  const keys = { keyRing: record.keyRing, keyId: record.keyId };
  const sibling = {
    at,
    advances,
    role,
    state: record.state,
    term,
    seenMs: before.nowMs,
    told,
    staged: record.stagedDigest,
    keys,
    flags: record.flags,
    handoverSite: record.handoverSite,
  };
  const siblings = { ...before.siblings, [record.hostName]: sibling };
  const claimed = seeClaim({ ...before, siblings }, record.hostName, record);
  const learnt = learnTerm(claimed, term, record.hostName);
  // Each volume of ours may hold one last record of a host that is long dead: more than these.
  const { config } = before;
  const volumes = config.mirrors.filter(({ writer }) => writer === config.self.site);
  const beats = advances >= Math.max(1, volumes.length);
  const active = beats && isExample(sibling) && term === learnt.state.term;
  const siblingActive = active || learnt.state.siblingActive;
  if (siblingActive === learnt.state.siblingActive) return learnt;
  return { ...learnt, state: { ...learnt.state, siblingActive } };
}

/** Siblings that may serve, as the configuration has them. */
function servingSiblings({ config }: State): readonly string[] {
  return ownSite(config)
    .hosts.filter(({ name, beacon, enabled }) => name !== config.self.host && !beacon && enabled)
    .map(({ name }) => name);
}

const isFresh = (state: State, { seenMs, advances }: Sibling): boolean =>
  advances > 0 && state.nowMs - seenMs <= siblingLimitMs(state);

/**
 * The newest word of a sibling is that it takes our term over: its data may not be ours yet. That
 * holds when it fell silent over it, too.
 */
export function siblingTakesOver(state: State): boolean {
  return Object.values(state.siblings).some(
    ({ role, term }) => role === roles.transitioning && term === state.term,
  );
}

/** A host of our site is about to hand the term over: this one stops its service too. */
export function siblingHandsOver(state: State): boolean {
  return Object.values(state.siblings).some(
    (sibling) =>
      isFresh(state, sibling) &&
      sibling.term === state.term &&
      ownsTerm(state) &&
      sibling.role === roles.transitioning &&
      sibling.handoverSite !== 0,
  );
}

/** Siblings that may serve and do not beat: nothing is known of their service. */
export function silentSiblings(state: State): readonly string[] {
  return servingSiblings(state).filter((name) => {
    const sibling = state.siblings[name];
    return !sibling || !isFresh(state, sibling);
  });
}

/** Those that beat, and whose service is not stopped for certain. */
export function runningSiblings(state: State): readonly string[] {
  return servingSiblings(state).filter((name) => {
    const sibling = state.siblings[name];
    return !sibling || !isFresh(state, sibling) || (sibling.flags & recordFlags.quiesced) === 0;
  });
}

/** A sibling that takes over now, in a term of our site: its record, durable, says so. */
const takesOver = ({ role, flags }: Sibling): boolean =>
  role === roles.transitioning && (flags & recordFlags.closing) !== 0;

function rivalWhere(
  state: State,
  isMeant: (sibling: Sibling, isFirst: boolean) => boolean,
): string | null {
  const own = ownHost(state.config).slot;
  const rival = ownSite(state.config).hosts.find(({ name, slot }) => {
    const sibling = state.siblings[name];
    if (!sibling || !isFresh(state, sibling)) return false;
    return ownerOf(sibling.term) === state.ownSiteId && isMeant(sibling, slot < own);
  });
  return rival?.name ?? null;
}

/** The sibling to which we give way: one that serves, or takes over with a lower slot than ours. */
export const rivalTakesOver = (state: State): string | null =>
  rivalWhere(
    state,
    (sibling, isFirst) => sibling.role === roles.active || (isFirst && takesOver(sibling)),
  );

/**
 * A sibling of a higher slot that takes over too. It may have looked before our record was there,
 * and then it goes on and serves; otherwise it gives way. Its next records tell which.
 */
export const rivalToAwait = (state: State): string | null =>
  rivalWhere(state, (sibling, isFirst) => !isFirst && takesOver(sibling));
