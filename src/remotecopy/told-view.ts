/**
 * Views of a pair that somebody else's library or program tells in mirrorbeat's own words. Words
 * prove nothing: what contradicts itself is `unknown`, with the reason as its cause.
 */
import type { Capabilities, PairView } from "./provider.ts";

export const noRemoteQuery = "this remote copy shows its own end only";

/** One line of printable ASCII, so long at most. */
export function plainText(text: string, lengthMax: number): string {
  return text
    .slice(0, lengthMax)
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .trim();
}

/** An identity is compared as text: one that had to be mended is none. */
export function isIdentity(text: string): boolean {
  return /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/.test(text);
}

type Copying = Capabilities["copying"];

function contradiction(view: PairView, copying: Copying): string | null {
  const { state, role, percent } = view;
  const isPair = role === "primary" || role === "secondary";
  if (state === "simplex" && isPair) return `no pair, but ${role}`;
  if (state === "paired") {
    if (role === "none") return "paired, but of no role";
    if (percent !== null && percent !== 100) return `paired, but ${percent} percent`;
    if (view.inSync === false && copying === "synchronous") return "paired, but not in sync";
  }
  if (state === "takeover") {
    if (role === "none") return "taken over, but of no role";
    if (view.writable === false) return "taken over, but not writable";
  }
  if (state === "copying" && view.inSync === true) return "copying, but in sync";
  return null;
}

function unknown(view: PairView, cause: string): PairView {
  return { ...view, state: "unknown", inSync: null, cause: `contradictory: ${cause}` };
}

function settled(view: PairView, copying: Copying): PairView {
  const cause = contradiction(view, copying);
  return cause === null ? view : unknown(view, cause);
}

/** Both ends as far as they agree with themselves and, where both copy, with each other. */
export function settleViews(
  told: { readonly local: PairView; readonly remote: PairView | null },
  copying: Copying,
): { readonly local: PairView; readonly remote: PairView | null } {
  const local = settled(told.local, copying);
  const remote = told.remote && settled(told.remote, copying);
  const sameRole = remote?.role === local.role && local.role !== "unknown";
  if (!remote || local.state !== "paired" || remote.state !== "paired" || !sameRole) {
    return { local, remote };
  }
  const cause = `both ends paired, and both ${local.role}`;
  return { local: unknown(local, cause), remote: unknown(remote, cause) };
}
