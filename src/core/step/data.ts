/** The data groups' own pairs: evidence about the data, which no heartbeat gives. */
import { pairCodes } from "../sector/layout.ts";
import type { HeartbeatRecord } from "../sector/layout.ts";
import { ownerHosts } from "./holders.ts";
import type { DataView } from "./right-state.ts";
import type { Input, State } from "./state.ts";

const nsPerMs = 1_000_000n;

/** What a provider told of a group's pair. */
export function seeData(state: State, input: Extract<Input, { kind: "data" }>): State {
  const before = state.data[input.group];
  // A source that tells neither whether nor since when it is in sync tells nothing of it.
  const told = input.inSync === true || (input.inSync === null && input.lastCopyAgoMs !== null);
  const inSync = input.state === "paired" && told;
  const behindNs = BigInt(Math.ceil(input.lastCopyAgoMs ?? 0)) * nsPerMs;
  const inSyncNs = inSync ? input.bootNs - behindNs : (before?.inSyncNs ?? 0n);
  const { state: pair, role, nowMs: observedMs } = input;
  const view: DataView = { state: pair, role, observedMs, inSyncNs };
  return { ...state, data: { ...state.data, [input.group]: view } };
}

/** What is known of a group now; old knowledge is none. */
export function dataState(state: State, group: string): DataView["state"] {
  const view = state.data[group];
  const limitMs = state.config.timing.pairAgeLimitMs;
  return view && state.nowMs - view.observedMs <= limitMs ? view.state : "unknown";
}

/** The groups as our records tell them. */
export function groupsOf(state: State): HeartbeatRecord["groups"] {
  return state.config.dataGroups.map(({ name, id }) => ({
    id,
    pair: pairCodes[dataState(state, name)],
    inSyncNs: state.data[name]?.inSyncNs ?? 0n,
  }));
}

/**
 * Why the data here may not be taken over by the agent itself; null where it may. Of each group
 * the state must be known here, and neither copying nor split; and the owner's last records must
 * say that it was in sync at most `rpoMaxMs` before them.
 */
export function dataFault(state: State): string | null {
  for (const group of state.config.dataGroups) {
    const now = dataState(state, group.name);
    // Split: by an operator, or because one end was taken over. What each holds differs by then.
    if (now === "unknown" || now === "copying" || now === "split") {
      return `data group ${group.name} is ${now} here`;
    }
    const fault = toldFault(state, group.id);
    if (fault !== null) return `data group ${group.name} ${fault}`;
  }
  return null;
}

/** Words for groups of which nothing is amiss. */
export function dataWellText({ config }: State): string {
  const names = config.dataGroups.map(({ name }) => name);
  return names.length === 0 ? "no data groups are configured" : `${names.join(", ")} in order`;
}

/** Every host of the owner that tells of the group must tell of it well, and one must. */
function toldFault(state: State, id: number): string | null {
  const { rpoMaxMs } = state.config.takeover;
  let isTold = false;
  for (const { host, word } of ownerHosts(state)) {
    const entry = word?.groups.find((group) => group.id === id);
    if (!word || !entry || entry.inSyncNs === 0n) continue;
    isTold = true;
    if (entry.pair !== pairCodes.paired && entry.pair !== pairCodes.suspended) {
      return `was not known to be whole by ${host.name}`;
    }
    const behindMs = Number((word.bootClockNs - entry.inSyncNs) / nsPerMs);
    if (behindMs > rpoMaxMs) {
      return `was last in sync ${behindMs} ms before the last beat of ${host.name}; rpo_max_ms is ${rpoMaxMs}`;
    }
  }
  return isTold ? null : "was never told to be in sync by the site that owns the term";
}
