/**
 * Makes a data group whole again before this site hands over: what is suspended is resynchronised,
 * what this site took over is copied back. This site owns the term, so its data is the newer one;
 * and yet nothing is resynchronised over a volume that the other site took over.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";
import { changePair } from "../remotecopy/change.ts";
import type { PairView } from "../remotecopy/provider.ts";
import { type Clock, foreignness, freshLook, settleMs } from "./data-look.ts";
import type { DataPair } from "./data-providers.ts";

/** What mends it; null where nothing need be sent, or nothing can be. */
function mending({ state, role, writable }: PairView): PairVerb | null {
  if (state === "takeover" && writable === true) return "swap";
  return state.startsWith("suspended") && role === "primary" ? "resync" : null;
}

/** Why it could not be begun; null where it is under way, or is not needed. */
export async function repairGroup(data: DataPair, clock: Clock): Promise<string | null> {
  const foreign = await foreignness(data, clock);
  if (foreign !== null) return foreign;
  const look = await freshLook(data, clock, clock.nowMs(), settleMs, () => true);
  if (!look.ok) return look.reason;
  const verb = mending(look.local);
  if (!verb) return null;
  const { provider, expected, queryLimitMs, changeLimitMs } = data.pair;
  const { kind, message } = await changePair(provider, verb, {
    expected, queryLimitMs, changeLimitMs, ...clock, dryRun: false,
    // Only a swap after a takeover: copying back over the other site is what was asked for.
    force: verb === "swap",
  }); // biome-ignore format: a list
  return kind === "refused" ? `${verb} refused: ${message}` : null;
}
