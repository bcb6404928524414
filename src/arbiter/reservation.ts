/**
 * SCSI-3 persistent reservations as an arbiter: the array refuses writes of the site that has lost.
 *
 * Every host of both sites is registered under a key of its own, which tells the site. The site
 * that asks last has the right: it preempts the other site's keys, and from then on the array
 * answers that site's writes with a conflict, whether its hosts are alive, paused or cut off. It is
 * granted only when a fresh look at every disk shows a reservation of this site, this host among
 * the registered, and no key of anybody else.
 *
 * Invariants: nothing is changed before every disk has been looked at and can serve; a key of
 * another program is never touched; all disks or none are granted; PREEMPT AND ABORT and CLEAR are
 * never sent. PREEMPT goes out only for a key that was read.
 */
import { type ChangeWords, changes, isAllRegistrants, typeText } from "../device/reservation.ts";
import { type SendScsi, sendScsi } from "../device/scsi-command.ts";
import { denied, granted, type Left, leftOf, oneAtATime, unknown } from "./answers.ts";
import type { Arbiter, ArbiterAnswer, ReservationSettings } from "./arbiter.ts";
import { type Look, ReservationDisk, unfitDisk } from "./reservation-disk.ts";
import { keyText, ownerOf } from "./reservation-key.ts";

const typeDefault = 5;
/** Steps on one disk: more than both sites' hosts together would need. */
const roundsMax = 64;

/** What can be said of one look; "held" alone is the right. */
export type Standing =
  | { readonly kind: "held" }
  | { readonly kind: "foreign"; readonly why: string }
  | { readonly kind: "not-held"; readonly why: string };

export function standingOf({ keys, holder }: Look, own: bigint, type: number): Standing {
  const foreign = keys.find((key) => ownerOf(key, own) === "foreign");
  if (foreign !== undefined)
    return { kind: "foreign", why: `key ${keyText(foreign)} is another program's` };
  const not = (why: string): Standing => ({ kind: "not-held", why });
  const others = keys.filter((key) => ownerOf(key, own) === "other-site");
  if (others[0] !== undefined) {
    const isHolder = holder !== null && others.includes(holder.key);
    return not(
      `key ${keyText(others[0])} of the other site is ${isHolder ? "the holder" : "registered"}`,
    );
  }
  if (!keys.includes(own)) return not("this host is not registered");
  if (holder === null) return not("nobody holds a reservation");
  if (holder.type !== type) return not(`held as ${typeText(holder.type)}, not ${typeText(type)}`);
  if (!isAllRegistrants(type) && ownerOf(holder.key, own) !== "own-site")
    return not(`held under ${keyText(holder.key)}`);
  return { kind: "held" };
}

type Fault = { readonly why: string; readonly isDenial: boolean };
const fault = (why: string): Fault => ({ why, isDenial: false });
const refusal = (why: string): Fault => ({ why, isDenial: true });

class Reservation {
  private readonly settings: ReservationSettings;
  private readonly disks: readonly ReservationDisk[];
  private readonly type: number;
  private readonly unfit: typeof unfitDisk;

  constructor(settings: ReservationSettings, send: SendScsi, unfit: typeof unfitDisk) {
    this.settings = settings;
    this.type = settings.type ?? typeDefault;
    this.disks = settings.devices.map((device) => new ReservationDisk(device, send));
    this.unfit = unfit;
  }

  async ask(left: Left): Promise<ArbiterAnswer> {
    if (this.disks.length === 0) return denied("no disk is configured for the reservation");
    const before = await this.findUnfit(left);
    if (before !== null) {
      const text = `${before.why}; nothing was changed`;
      return before.isDenial ? denied(text) : unknown(text);
    }
    const persists = new Map<ReservationDisk, boolean>();
    for (const disk of this.disks)
      persists.set(disk, (await disk.capabilities(left))?.canPersist ?? false);
    for (const [disk, doesPersist] of persists) {
      const failed =
        (await this.register(disk, doesPersist, left)) ?? (await this.take(disk, left));
      if (failed) return this.half(disk, failed, left);
    }
    const answer = await this.holds(left);
    const forgetful = [...persists].filter(([, does]) => !does).map(([{ path }]) => path);
    if (answer.kind !== "granted" || forgetful.length === 0) return answer;
    return granted(`${answer.detail}; forgotten at a loss of power by ${forgetful.join(", ")}`);
  }

  /** Looks at every disk before anything is changed. */
  private async findUnfit(left: Left): Promise<Fault | null> {
    for (const disk of this.disks) {
      const unfit = await this.unfit(disk.path);
      if (unfit !== null) return refusal(`${disk.path}: ${unfit}`);
      const looked = await disk.look(left);
      if (!looked.ok) return fault(`${disk.path}: ${looked.why}`);
      const standing = standingOf(looked.look, this.settings.key, this.type);
      if (standing.kind === "foreign") return refusal(`${disk.path}: ${standing.why}`);
    }
    return null;
  }

  private words(more: Partial<ChangeWords>): ChangeWords {
    return { key: this.settings.key, otherKey: 0n, type: 0, persists: false, ...more };
  }

  /** Puts this path under the own key, whatever key of this cluster it was under. */
  private async register(
    disk: ReservationDisk,
    persists: boolean,
    left: Left,
  ): Promise<Fault | null> {
    const otherKey = this.settings.key;
    const fresh = this.words({ key: 0n, otherKey, persists });
    const first = await disk.change(changes.register, fresh, left);
    if (first.kind === "done") return null;
    if (first.kind !== "conflict") return notDone(changes.register.name, first);
    // Registered already, under this key or an older one: no other program's is there (findUnfit).
    const again = await disk.change(changes.registerIgnoring, fresh, left);
    if (again.kind === "done") return null;
    return notDone(changes.registerIgnoring.name, again);
  }

  /** One step after the other, each upon a fresh look, until the right is there. */
  private async take(disk: ReservationDisk, left: Left): Promise<Fault | null> {
    for (let round = 0; round < roundsMax; round++) {
      const looked = await disk.look(left);
      if (!looked.ok) return fault(looked.why);
      const standing = standingOf(looked.look, this.settings.key, this.type);
      if (standing.kind === "held") return null;
      if (standing.kind === "foreign") return refusal(standing.why);
      const failed = await this.step(disk, looked.look, left);
      if (failed) return failed;
    }
    return fault("the other site takes it back again and again");
  }

  private async step(disk: ReservationDisk, look: Look, left: Left): Promise<Fault | null> {
    const { key: own } = this.settings;
    const { keys, holder } = look;
    if (!keys.includes(own)) return refusal("the other site has preempted this host meanwhile");
    const others = keys.filter((key) => ownerOf(key, own) === "other-site");
    const isTheirs = holder !== null && others.includes(holder.key);
    if (holder !== null && holder.type !== this.type && !isTheirs)
      return refusal(
        `is held as ${typeText(holder.type)}, not ${typeText(this.type)}; give both sites one type`,
      );
    // The holder first: between the two there is never nobody.
    const victim = isTheirs ? holder.key : others[0];
    const change = victim === undefined ? changes.reserve : changes.preempt;
    const words = this.words({ otherKey: victim ?? 0n, type: this.type });
    const done = await disk.change(change, words, left);
    // Somebody was faster: the next look tells who.
    if (done.kind === "done" || done.kind === "conflict") return null;
    return notDone(change.name, done);
  }

  /** What is true now, disk for disk, when not all could be taken. */
  private async half(failedAt: ReservationDisk, failed: Fault, left: Left): Promise<ArbiterAnswer> {
    const now: string[] = [];
    for (const disk of this.disks) {
      const looked = await disk.look(left);
      const standing = looked.ok && standingOf(looked.look, this.settings.key, this.type);
      const state = standing
        ? standing.kind === "held"
          ? "held here"
          : standing.why
        : "not known";
      now.push(`${disk.path} ${state}`);
    }
    const text = `${failedAt.path}: ${failed.why}; now: ${now.join(", ")}`;
    return failed.isDenial ? denied(text) : unknown(text);
  }

  async holds(left: Left): Promise<ArbiterAnswer> {
    const faults: string[] = [];
    if (this.disks.length === 0) return denied("no disk is configured for the reservation");
    for (const disk of this.disks) {
      disk.told.clear();
      const looked = await disk.look(left);
      if (!looked.ok) {
        faults.push(`${disk.path}: ${looked.why}`);
        continue;
      }
      const standing = standingOf(looked.look, this.settings.key, this.type);
      const told = disk.told.size > 0 ? ` (the array told: ${[...disk.told].join(", ")})` : "";
      if (standing.kind !== "held") return denied(`${disk.path}: ${standing.why}${told}`);
    }
    if (faults.length > 0) return unknown(faults.join("; "));
    const paths = this.disks.map(({ path }) => path).join(", ");
    return granted(`${typeText(this.type)} held by this site on ${paths}`);
  }

  async release(left: Left): Promise<ArbiterAnswer> {
    const faults: string[] = [];
    for (const disk of this.disks) {
      const failed = await this.giveAway(disk, left);
      if (failed !== null) faults.push(`${disk.path}: ${failed}`);
    }
    if (faults.length > 0) return unknown(faults.join("; "));
    return granted(
      `no registration of this host on ${this.disks.map(({ path }) => path).join(", ")}`,
    );
  }

  /** Why it is not known to be away; null when it is. */
  private async giveAway(disk: ReservationDisk, left: Left): Promise<string | null> {
    const { key: own } = this.settings;
    const looked = await disk.look(left);
    if (!looked.ok) return looked.why;
    const { keys, holder } = looked.look;
    if (!keys.includes(own)) return null;
    // One that all registrants hold ends with the last of them; RELEASE would end it for all.
    if (holder?.key === own) {
      const done = await disk.change(changes.release, this.words({ type: holder.type }), left);
      if (done.kind !== "done") return notDone(changes.release.name, done).why;
    }
    const gone = await disk.change(changes.register, this.words({}), left);
    if (gone.kind === "failed" || gone.kind === "unsupported")
      return notDone(changes.register.name, gone).why;
    const after = await disk.look(left);
    if (!after.ok) return after.why;
    return after.look.keys.includes(own) ? `key ${keyText(own)} is still registered` : null;
  }

  get describe(): readonly string[] {
    const key = keyText(this.settings.key);
    return this.settings.devices.flatMap((device) => [
      `sg_persist --in --read-full-status ${device}`,
      `sg_persist --out --register-ignore --param-sark=${key} ${device}`,
      `sg_persist --out --preempt --param-rk=${key} --param-sark=KEY --prout-type=${this.type} ${device}  # KEY: each of the other site's; --reserve where nobody holds it`,
      `sg_persist --in --read-full-status ${device}`,
    ]);
  }
}

function notDone(
  name: string,
  done: { readonly kind: "conflict" | "unsupported" | "failed" | "done"; readonly why?: string },
): Fault {
  if (done.kind === "conflict") return fault(`${name}: reservation conflict`);
  if (done.kind === "unsupported") return refusal(`${name} is not known to this disk`);
  return fault(done.why ?? name);
}

/** `send` and `unfit` are others in tests. */
export function openReservation(
  settings: ReservationSettings,
  send: SendScsi = sendScsi,
  unfit: typeof unfitDisk = unfitDisk,
): Arbiter {
  const reservation = new Reservation(settings, send, unfit);
  const once = oneAtATime();
  return {
    ask: (request) => once(() => reservation.ask(leftOf(settings.limitMs, request))),
    holds: (request) => once(() => reservation.holds(leftOf(settings.limitMs, request))),
    release: (request) => once(() => reservation.release(leftOf(settings.limitMs, request))),
    describe: reservation.describe,
  };
}
