/**
 * Taking one data group over: this site's end becomes the one that is written.
 *
 *   which volume it is -> its state now -> the change -> a fresh look -> the device of this host
 *
 * Nothing but the fresh look says that it is taken: no exit code does. What is done already is done,
 * so a takeover that was cut off anywhere is simply given again. The array itself is never forced;
 * a copy that was cut off half-way is never taken.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";
import { changePair, type Outcome } from "../remotecopy/change.ts";
import type { PairProvider, PairView } from "../remotecopy/provider.ts";
import { writableNow, type WritableIo } from "../volume/writable.ts";
import type { DataHistory } from "./data-history.ts";
import type { TakeData } from "./data-inputs.ts";
import {
  type Clock,
  foreignness,
  freshLook,
  lookEveryMs,
  settleMs,
  viewText,
} from "./data-look.ts";
import type { DataPair } from "./data-providers.ts";

export type TakeTools = Clock & { readonly io: WritableIo; readonly history: DataHistory };

/** `text`: what is true of the group now, and where that is not ok, why and what to do. */
export type GroupEnd = { readonly ok: boolean; readonly text: string };

type Changed =
  | {
      readonly ok: true;
      /** Knowledge from before this moment does not count. */
      readonly sinceMs: number;
      readonly how: string;
      /** What the commands came to, where that is in doubt. */
      readonly doubt: string | null;
    }
  | { readonly ok: false; readonly reason: string };

const failed = (text: string): GroupEnd => ({ ok: false, text });

/** This end is the one that is written, as far as its pair goes. */
function isTaken({ state, role, writable }: PairView): boolean {
  if (state === "takeover") return writable === true;
  return role === "primary" && state !== "unknown" && state !== "simplex" && writable !== false;
}

const isSuspended = ({ state }: PairView): boolean => state.startsWith("suspended");

/** Every data group is taken by hand where the program does not: the next run finds it done. */
const byHand = "or take it over by the array's own command, then give the command again";

/** Why a takeover must not even begin from this state; null where the change may judge. */
function hindrance(
  verb: TakeData["verb"],
  local: PairView,
  group: string,
  history: DataHistory,
): string | null {
  const seen = viewText(local);
  if (history.isCutOff(group, local)) {
    return `its copy was cut off half-way (${seen}): what it holds is of no use; let it be resynchronised, ${byHand}`;
  }
  if (local.state === "paired") return null;
  if (verb === "swap") {
    return `it is not whole (${seen}), so it is not switched over; mend the pair and give the command again, or take over as for a failure of the other site`;
  }
  if (isSuspended(local) && local.role !== "primary") return null;
  if (local.state === "copying") {
    return `it is being copied (${seen}): what it holds is of no use yet; wait for its end, ${byHand}`;
  }
  return `it cannot be taken over (${seen}); look at the pair, ${byHand}`;
}

/** The same provider, never told to force. */
const unforced = (provider: PairProvider): PairProvider => ({
  get capabilities() {
    return provider.capabilities;
  },
  identify: (deadlineMs) => provider.identify(deadlineMs),
  query: (scope, deadlineMs) => provider.query(scope, deadlineMs),
  commands: (change) => provider.commands({ ...change, force: false }),
  perform: (change, deadlineMs) => provider.perform({ ...change, force: false }, deadlineMs),
});

function howDone(verb: PairVerb, wish: TakeData["verb"], local: PairView): string {
  if (verb !== wish) return "taken over at this end, as this remote copy has no swap";
  if (verb === "swap") return "swapped";
  const ago = local.lastCopyAgoMs;
  const age = ago === null ? "" : ` (last copied ${(ago / 1000).toFixed(1)} s before)`;
  return `taken over${age}`;
}

async function change(
  { pair }: DataPair,
  wish: TakeData["verb"],
  local: PairView,
  { nowMs, pause }: Clock,
): Promise<Changed> {
  const { provider, expected, queryLimitMs, changeLimitMs } = pair;
  const verb: PairVerb =
    wish === "swap" && !provider.capabilities.verbs.includes("swap") ? "takeover" : wish;
  const outcome: Outcome = await changePair(unforced(provider), verb, {
    expected, queryLimitMs, changeLimitMs, nowMs, pause, dryRun: false,
    // Beyond `hindrance`, only that a suspended copy lacks what was written since.
    force: wish === "takeover" && isSuspended(local),
  }); // biome-ignore format: a list
  if (outcome.kind === "refused") {
    return { ok: false, reason: `${verb} refused: ${outcome.message}` };
  }
  const doubt = outcome.kind === "indeterminate" ? outcome.message : null;
  return { ok: true, sinceMs: nowMs(), how: howDone(verb, wish, local), doubt };
}

/** Primary here does not say that nobody took the other end over meanwhile. */
async function otherEndFault(data: DataPair, clock: Clock, sinceMs: number) {
  const look = await freshLook(data, clock, sinceMs, 0, () => true, "both");
  if (!look.ok) return look.reason;
  if (look.remote?.state !== "takeover") return null;
  return "the other site took its volume over: the newer data is there; copy it back (swap at that end), then give the command again";
}

/** What was done, once it is not needed any more or the array has been told. */
async function changed(data: DataPair, wish: TakeData["verb"], tools: TakeTools): Promise<Changed> {
  const beganMs = tools.nowMs();
  const foreign = await foreignness(data, tools);
  if (foreign !== null) return { ok: false, reason: foreign };
  const isKnown = ({ state }: PairView): boolean => state !== "unknown";
  const before = await freshLook(data, tools, beganMs, settleMs, isKnown);
  if (!before.ok) return { ok: false, reason: `${before.reason}; mend that, ${byHand}` };
  const { local } = before;
  tools.history.saw(data.name, local);
  if (isTaken(local)) {
    const isApart = local.role === "primary" && local.state !== "paired";
    const reason = isApart ? await otherEndFault(data, tools, beganMs) : null;
    if (reason !== null) return { ok: false, reason };
    return { ok: true, sinceMs: beganMs, how: "this site's already", doubt: null };
  }
  const hindered = hindrance(wish, local, data.name, tools.history);
  if (hindered !== null) return { ok: false, reason: hindered };
  return change(data, wish, local, tools);
}

/** A device that was just made writable, or presented, may take a moment to show it. */
async function deviceEnd({ device, pair }: DataPair, tools: TakeTools): Promise<GroupEnd> {
  const endMs = tools.nowMs() + settleMs;
  for (;;) {
    const found = await writableNow(tools.io, device, pair.queryLimitMs);
    if (found.ok) {
      return { ok: true, text: `${device} writable${found.inUse ? ", and in use here" : ""}` };
    }
    if (tools.nowMs() >= endMs) return failed(`taken over, but ${found.refusal.message}`);
    await tools.pause(lookEveryMs);
  }
}

/** Ends within the deadlines of the pair's provider. */
export async function takeGroup(
  data: DataPair,
  wish: TakeData["verb"],
  tools: TakeTools,
): Promise<GroupEnd> {
  const done = await changed(data, wish, tools);
  if (!done.ok) return failed(done.reason);
  const after = await freshLook(data, tools, done.sinceMs, settleMs, isTaken);
  const doubt = done.doubt === null ? "" : `; the array's command: ${done.doubt}`;
  if (!after.ok) {
    return failed(`not known to be taken: ${after.reason}${doubt}; give the command again`);
  }
  if (!isTaken(after.local)) {
    return failed(`not taken: ${viewText(after.local)}${doubt}; give the command again`);
  }
  const device = await deviceEnd(data, tools);
  if (!device.ok) return device;
  return { ok: true, text: `${done.how}: ${viewText(after.local)}, ${device.text}` };
}
