/**
 * Before this site hands over: is a data group whole, in sync, and written at this end? Waits for
 * copying to end, since the service is stopped already and what is missing must still arrive.
 */
import type { PairView } from "../remotecopy/provider.ts";
import {
  type Clock,
  foreignness,
  freshLook,
  lookEveryMs,
  settleMs,
  viewText,
} from "./data-look.ts";
import type { DataPair } from "./data-providers.ts";
import type { GroupEnd } from "./data-take.ts";

const failed = (text: string): GroupEnd => ({ ok: false, text });

type Judged =
  | { readonly kind: "good"; readonly text: string }
  /** It may come right by itself. */
  | { readonly kind: "not-yet"; readonly text: string }
  | { readonly kind: "bad"; readonly text: string };

const toDo = "mend the pair, then give the command again";

/**
 * An array that cannot tell whether all has arrived is believed where it swaps: that is its own
 * command for an orderly change, and it waits for what is under way.
 */
function judge(local: PairView, remote: PairView | null, swaps: boolean): Judged {
  const seen = viewText(local);
  const { state, role, inSync } = local;
  if (state === "unknown") return { kind: "not-yet", text: `its state is not known: ${seen}` };
  if (state === "takeover") {
    const remedy = "copy it back to the other site first (swap), and wait until it is paired";
    return { kind: "bad", text: `this site took it over, and nothing is copied; ${remedy}` };
  }
  if (role === "secondary") {
    return { kind: "bad", text: `the other site's end is the primary (${seen}); ${toDo}` };
  }
  if (state === "copying") return { kind: "not-yet", text: `it is still copied (${seen})` };
  if (state !== "paired") return { kind: "bad", text: `it is not whole (${seen}); ${toDo}` };
  if (remote && remote.state !== "paired") {
    return { kind: "not-yet", text: `the other end is ${viewText(remote)}` };
  }
  if (role !== "primary") {
    return { kind: "bad", text: `this end is not the primary (${seen}); ${toDo}` };
  }
  if (inSync === false) return { kind: "not-yet", text: `not all has arrived yet (${seen})` };
  if (inSync === null && !swaps) {
    const remedy = "wait until it has, then take over at the other site";
    return { kind: "bad", text: `its array cannot tell whether all has arrived; ${remedy}` };
  }
  return { kind: "good", text: seen };
}

/** Ends within the change limit of the pair, and one query more. */
export async function checkGroup(data: DataPair, clock: Clock): Promise<GroupEnd> {
  const beganMs = clock.nowMs();
  const { provider, changeLimitMs } = data.pair;
  const endMs = beganMs + changeLimitMs;
  const foreign = await foreignness(data, clock);
  if (foreign !== null) return failed(foreign);
  for (;;) {
    const leftMs = Math.min(settleMs, Math.max(0, endMs - clock.nowMs()));
    const look = await freshLook(data, clock, beganMs, leftMs, () => true, "both");
    if (!look.ok) return failed(`${look.reason}; ${toDo}`);
    const judged = judge(look.local, look.remote, provider.capabilities.verbs.includes("swap"));
    if (judged.kind === "good") return { ok: true, text: judged.text };
    if (judged.kind === "bad") return failed(judged.text);
    if (clock.nowMs() >= endMs) {
      return failed(`${judged.text}, still after ${Math.round(changeLimitMs / 1000)} s; ${toDo}`);
    }
    await clock.pause(lookEveryMs);
  }
}
