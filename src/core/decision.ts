/**
 * Terms, roles and the takeover by an operator: what this site may do about a verdict.
 *
 * term = counter x 256 + id of the owning site; it only rises. The owner of the highest term is
 * the only site that may be active. A site learns of a higher term from any believable record,
 * fresh or not: terms never fall, so even an old record proves that the term was raised.
 *
 * A site that owns the term still waits in `starting` until fresh records of every host that may
 * have taken over, in the same term or a lower one, show that none did: after a restart its own
 * memory proves nothing about what the other site did. Fresh is a record that echoes this start.
 */
import { exitCodes, type Refusal } from "./base/exit-codes.ts";
import { isAlive, type Verdict } from "./verdict.ts";

/**
 * starting       our site owns the term; whether this host may serve is not known yet
 * active         the service may run here
 * standby        another site owns the term
 * transitioning  taking the term, or giving it away
 * fenced         must not serve any more; the stop of the service is not verified yet
 * stopped        our site owns the term, the service is stopped for certain, and waits for the right
 */
export type Role = "starting" | "active" | "standby" | "transitioning" | "fenced" | "stopped";

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
  /** This host holds the right to be active now: a lease, or the fresh word of all peers. */
  readonly mayServe: boolean;
  readonly whyServe: string;
  /** The right ends, or was given away; null while it stands. */
  readonly mustStop: string | null;
  /** The service may run here: no stop of it is verified. */
  readonly serviceMayRun: boolean;
  /** A takeover or a switch-over is under way. */
  readonly underWay: string | null;
  /** The term was taken here, and the service not started. */
  readonly halfDone: boolean;
};
export type RoleChange = { readonly role: Role; readonly reason: string };

const higherTerm = "a higher term of another site was found";

/** The role after these facts; null where it stays. */
export function nextRole(facts: RoleFacts): RoleChange | null {
  const { role, ownsTerm, mayServe, mustStop, serviceMayRun, underWay } = facts;
  const stopped: RoleChange = serviceMayRun
    ? { role: "fenced", reason: ownsTerm && mustStop !== null ? mustStop : higherTerm }
    : { role: "standby", reason: higherTerm };
  if (underWay !== null) {
    return role === "transitioning" ? null : { role: "transitioning", reason: underWay };
  }
  switch (role) {
    case "starting":
      if (!ownsTerm) return stopped;
      return mayServe ? { role: "active", reason: facts.whyServe } : null;
    case "standby":
      // Only a takeover makes a standby active: it raises the term itself, or is given one.
      return null;
    case "active":
      if (!ownsTerm) return stopped;
      return mustStop === null ? null : { role: "fenced", reason: mustStop };
    case "transitioning":
      return ownsTerm && (mustStop === null || !serviceMayRun) ? null : stopped;
    case "fenced":
      if (serviceMayRun) return null;
      if (!ownsTerm)
        return { role: "standby", reason: "the service is stopped; the term is another site's" };
      return facts.halfDone
        ? { role: "transitioning", reason: "a takeover was begun here and not ended: run it again" }
        : { role: "stopped", reason: "the service is stopped; it waits for the right to run" };
    case "stopped":
      if (!ownsTerm) return { role: "standby", reason: higherTerm };
      return mayServe ? { role: "active", reason: facts.whyServe } : null;
  }
}

/** What a site is advised to do about a verdict on another site; null where there is nothing. */
export function adviceOn(verdict: Verdict, role: Role, leased = false): string | null {
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
      if (leased) return "the lease decides; mirrorbeat status lists what is still missing";
      return "make sure that it is down for certain, then: mirrorbeat takeover --yes";
  }
}

export type TakeoverFacts = {
  /** Hosts whose newest record tells of a higher generation than ours. */
  readonly newerConfigurations: readonly string[];
  readonly force: boolean;
  /** An operator attests that the other site is powered off. */
  readonly peerIsOff: boolean;
  /** Every host of every other site that may hold the service. */
  readonly hosts: readonly {
    readonly name: string;
    /** Not switched off here. */
    readonly watched: boolean;
    /** null: not judged yet. */
    readonly verdict: Verdict | null;
    readonly settled: boolean;
    /** Alive, and standing by under a term of ours by its own fresh word. */
    readonly standsBy: boolean;
  }[];
  /** Hosts of our own site that are active, or taking over. */
  readonly busySiblings: readonly string[];
  /** Whether the other hosts of our site would learn of the new term. */
  readonly siblingsWouldLearn: boolean;
};

const override = "or add --force and answer for it";

/** Why an operator's takeover is refused; null where it may begin. */
export function takeoverRefusal(facts: TakeoverFacts): Refusal | null {
  if (facts.force) return null;
  if (facts.busySiblings.length > 0) {
    const message =
      `takeover refused: ${facts.busySiblings.join(", ")} of this site is active, or taking ` +
      "over; look at `mirrorbeat status` there";
    return { code: exitCodes.tryLater, message };
  }
  const fault =
    newerFault(facts.newerConfigurations) ??
    holderFault(facts.hosts, facts.peerIsOff) ??
    publishingFault(facts);
  return fault === null ? null : { code: exitCodes.unsafe, message: `takeover refused: ${fault}` };
}

function newerFault(hosts: readonly string[]): string | null {
  if (hosts.length === 0) return null;
  return (
    `${hosts.join(", ")} went by a newer configuration than this host, which does not know all ` +
    `that may serve; start it by the present file, ${override}`
  );
}

function publishingFault(facts: TakeoverFacts): string | null {
  if (facts.siblingsWouldLearn) return null;
  return (
    "no mirror that this site writes is switched on, so its other hosts would not learn of " +
    `the new term; switch one on, ${override}`
  );
}

/** What speaks against it among the hosts that may hold the service. */
function holderFault(hosts: TakeoverFacts["hosts"], peerIsOff: boolean): string | null {
  const named = (some: typeof hosts): string => some.map((host) => host.name).join(", ");
  if (hosts.length === 0) {
    return `no host of the other site is watched, so nothing is known of it; enable one, ${override}`;
  }
  const off = hosts.filter((host) => !host.watched);
  if (off.length > 0) {
    return `${named(off)} is switched off here, so nothing is known of it; enable it, ${override}`;
  }
  const alive = hosts.filter((host) => host.verdict && isAlive(host.verdict.row) && !host.standsBy);
  if (alive.length > 0) {
    const names = alive.map((host) => `${host.name} (row ${host.verdict?.row})`).join(", ");
    return `${names} still beats on some path; two sites would write. Stop it first, ${override}`;
  }
  // Whoever attests that a site is off need not wait until its silence proves it.
  if (peerIsOff) return null;
  const blind = hosts.filter((host) => host.verdict?.action === "refuse");
  if (blind.length > 0) {
    return (
      `no path to ${named(blind)} is switched on, so nothing can be told of it; ` +
      `switch one on, ${override}`
    );
  }
  const unsettled = hosts.filter(
    (host) => !host.standsBy && (!host.settled || host.verdict === null),
  );
  if (unsettled.length === 0) return null;
  return (
    `${named(unsettled)} not watched long enough to tell; ` +
    "wait for the time that `mirrorbeat timing` prints, then look at `mirrorbeat status`"
  );
}
