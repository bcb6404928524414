/**
 * Terms, roles and the takeover by an operator: what this site may do about a verdict.
 *
 * term = counter x 256 + id of the owning site; it only rises. The owner of the highest term is
 * the only site that may be active. A site learns of a higher term from any believable record,
 * fresh or not: terms never fall, so even an old record proves that the term was raised.
 *
 * A site that owns the term still waits in `starting` until a fresh peer record, in the same term
 * or a lower one, shows that nobody took over meanwhile: after a restart its own memory proves
 * nothing about what the other site did. Fresh is a record that echoes this start of ours.
 */
import { exitCodes, type Refusal } from "./base/exit-codes.ts";
import { isAlive, type Verdict } from "./verdict.ts";

export type Role = "starting" | "active" | "standby" | "transitioning";

export function termOf(counter: bigint, siteId: number): bigint {
  return counter * 256n + BigInt(siteId);
}

export function ownerOf(term: bigint): number {
  return Number(term % 256n);
}

export function nextTerm(term: bigint, siteId: number): bigint {
  return termOf(term / 256n + 1n, siteId);
}

export type RoleFacts = {
  readonly role: Role;
  readonly ownsTerm: boolean;
  /** Some peer host's path is ok, and its record shows no higher term. */
  readonly peerFresh: boolean;
  readonly takingOver: boolean;
};
export type RoleChange = { readonly role: Role; readonly reason: string };

/** The role after these facts; null where it stays. */
export function nextRole(facts: RoleFacts): RoleChange | null {
  const { role, ownsTerm, peerFresh, takingOver } = facts;
  if (takingOver) {
    return role === "transitioning"
      ? null
      : { role: "transitioning", reason: "takeover commanded" };
  }
  switch (role) {
    case "starting":
      if (!ownsTerm) return { role: "standby", reason: "another site owns the term" };
      return peerFresh ? { role: "active", reason: "a fresh peer confirms our term" } : null;
    case "standby":
      // Only a takeover makes a standby active: it raises the term itself.
      return null;
    case "active":
      if (ownsTerm) return null;
      return { role: "standby", reason: "a higher term of another site was found" };
    case "transitioning":
      return ownsTerm ? null : { role: "standby", reason: "another site owns the term" };
  }
}

/** What a site is advised to do about a verdict on another site; null where there is nothing. */
export function adviceOn(verdict: Verdict, role: Role): string | null {
  switch (verdict.action) {
    case "none":
      return null;
    case "notify":
      return "stay calm: it is alive; mend what the verdict names, and do not take over";
    case "refuse":
      return "nothing is watched: mirrorbeat enable a path";
    case "hold":
    case "eligible":
      if (role === "active") return "this site is active: go on; find out what happened there";
      if (verdict.row === "5" || verdict.row === "6") {
        return "this host cannot tell: ask another host of this site, look at mirrorbeat status";
      }
      return "make sure that it is down for certain, then: mirrorbeat takeover --yes";
  }
}

export type TakeoverFacts = {
  readonly force: boolean;
  /** Every enabled host of every other site that may hold the service; null: not judged yet. */
  readonly hosts: readonly {
    readonly name: string;
    readonly verdict: Verdict | null;
    readonly settled: boolean;
  }[];
};

/** Why an operator's takeover is refused; null where it may begin. */
export function takeoverRefusal(facts: TakeoverFacts): Refusal | null {
  if (facts.force) return null;
  if (facts.hosts.length === 0) {
    return {
      code: exitCodes.unsafe,
      message:
        "takeover refused: no host of the other site is watched, so nothing is known of it; " +
        "enable one, or add --force and answer for it",
    };
  }
  const alive = facts.hosts.filter((host) => host.verdict && isAlive(host.verdict.row));
  if (alive.length > 0) {
    const names = alive.map((host) => `${host.name} (row ${host.verdict?.row})`).join(", ");
    return {
      code: exitCodes.unsafe,
      message:
        `takeover refused: ${names} still beats on some path; two sites would write. ` +
        "Stop it first, or add --force and answer for it",
    };
  }
  const blind = facts.hosts.filter((host) => host.verdict?.action === "refuse");
  if (blind.length > 0) {
    const names = blind.map((host) => host.name).join(", ");
    return {
      code: exitCodes.unsafe,
      message:
        `takeover refused: no path to ${names} is switched on, so nothing can be told of it; ` +
        "switch one on, or add --force and answer for it",
    };
  }
  const unsettled = facts.hosts
    .filter((host) => !host.settled || host.verdict === null)
    .map((host) => host.name);
  if (unsettled.length > 0) {
    return {
      code: exitCodes.unsafe,
      message:
        `takeover refused: ${unsettled.join(", ")} not watched long enough to tell; ` +
        "wait for the time that `mirrorbeat timing` prints, then look at `mirrorbeat status`",
    };
  }
  return null;
}
