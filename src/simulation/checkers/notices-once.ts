/**
 * What changes is told once (docs/operations.md 3): each change of a verdict, of a group, of a path
 * or of the role by exactly one event, which names the state that was and the state that is, and is
 * not told a second time. The verdict hook is run once for each change of a group's verdict, with
 * the same two rows (docs/operations.md 4).
 *
 * Judged step by step: what an agent knows before and after it, against what it tells. A path that
 * takes no part is not spoken of, so of paths only what is told is looked at.
 */
import type { CoreEvent } from "../../core/base/event.ts";
import type { State } from "../../core/step/state.ts";
import type { CheckerKind } from "../checker.ts";
import { Judge } from "./judge.ts";
import type { Watched } from "../observation.ts";

type Step = Extract<Watched, { kind: "step" }>;

/** What must be told, by its subject: from and to. */
type Due = Map<string, string>;

const stateOf = (verdict: { row: string; action: string } | null | undefined): string =>
  verdict ? `${verdict.row} ${verdict.action}` : "-";
const rowOf = (state: string): string => state.split(" ", 1)[0] ?? "-";

function dueOf({ before, after }: Step): Due {
  const due: Due = new Map();
  if (before.peers !== after.peers) {
    for (const peer of after.peers) {
      const was = before.peers.find(({ host }) => host.name === peer.host.name);
      const [from, to] = [stateOf(was?.verdict), stateOf(peer.verdict)];
      if (was && from !== to && peer.verdict && peer.enabled)
        due.set(`verdict ${peer.host.name}`, `${rowOf(from)}>${to}`);
    }
  }
  if (before.groups !== after.groups) {
    for (const [site, verdict] of Object.entries(after.groups)) {
      const [from, to] = [stateOf(before.groups[site]), stateOf(verdict)];
      if (from !== to) due.set(`group ${site}`, `${rowOf(from)}>${to}`);
    }
  }
  return due;
}

/** Subject and change of an event of that kind. */
function toldOf({ ev, fields }: CoreEvent): readonly [string, string] | null {
  const text = (name: string): string => String(fields[name]);
  if (ev === "verdict")
    return [`verdict ${text("host")}`, `${text("was")}>${text("row")} ${text("action")}`];
  if (ev === "group")
    return [`group ${text("site")}`, `${text("was")}>${text("row")} ${text("action")}`];
  return null;
}

/** Several changes in one step are told one after the other. */
function chained(due: Due, subject: string, change: string): boolean {
  const wanted = due.get(subject);
  if (wanted === undefined) return false;
  due.delete(subject);
  if (wanted === change) return true;
  const [from, to = ""] = wanted.split(">", 2);
  const [was, now = ""] = change.split(">", 2);
  if (from !== was) return false;
  due.set(subject, `${rowOf(now)}>${to}`);
  return true;
}

class NoticesOnce extends Judge {
  private readonly dues = new Map<string, Due>();

  /** The role as the last event told it, and as it is. */
  private readonly roles = new Map<string, { told: string; is: string }>();

  /** All of a step is told before anything else happens on that host. */
  private close(host: string): void {
    const due = this.dues.get(host);
    this.dues.delete(host);
    for (const [subject, change] of due ?? [])
      this.report(`${host} does not tell ${subject}: ${change}`);
    const role = this.roles.get(host);
    if (role && role.told !== role.is)
      this.report(`${host} is ${role.is}, and told last: ${role.told}`);
  }

  private hooks({ host, before, after, actions }: Step): void {
    const hooksDue = new Map<string, string>();
    if (before.groups !== after.groups) {
      for (const [site, verdict] of Object.entries(after.groups)) {
        const was = before.groups[site];
        if (was && stateOf(was) !== stateOf(verdict))
          hooksDue.set(site, `${was.row}>${verdict.row}`);
      }
    }
    for (const action of actions) {
      if (action.kind !== "run-hook" || action.hook !== "verdict") continue;
      this.count("verdict hook");
      const { peer, oldState, newState } = action.facts;
      const wanted = hooksDue.get(peer);
      hooksDue.delete(peer);
      if (wanted === undefined)
        this.report(`${host} runs a verdict hook for ${peer}, whose verdict did not change`);
      else if (wanted !== `${oldState}>${newState}`)
        hooksDue.set(peer, wanted.replace(/^[^>]*/, newState));
    }
    for (const [site, change] of hooksDue) {
      const [from, to] = change.split(">");
      if (from !== to) this.report(`${host} runs no verdict hook for ${site}: ${change}`);
    }
  }

  private begins(host: string, { role }: State): void {
    if (!this.roles.has(host)) this.roles.set(host, { told: role, is: role });
  }

  private tells(host: string, event: CoreEvent): void {
    const { ev, fields } = event;
    if (ev === "role") {
      this.count("role");
      const known = this.roles.get(host);
      const [was, role] = [String(fields["was"]), String(fields["role"])];
      if (was === role) this.report(`${host} tells the role ${role} twice`);
      if (known && known.told !== was)
        this.report(`${host} tells a role from ${was}, and told ${known.told} before`);
      return void this.roles.set(host, { told: role, is: known?.is ?? role });
    }
    if (ev === "path") {
      this.count("path");
      if (fields["state"] === fields["was"])
        this.report(`${host} tells a path that did not change`);
      return;
    }
    const told = toldOf(event);
    if (!told) return;
    this.count(ev);
    const due = this.dues.get(host);
    if (!due || !chained(due, ...told))
      this.report(`${host} tells ${told[0]}: ${told[1]}, which did not happen`);
  }

  watch(watched: Watched): void {
    switch (watched.kind) {
      case "step": {
        const { host, before, after } = watched;
        this.close(host);
        this.begins(host, before);
        if (
          before.groups === after.groups &&
          before.peers === after.peers &&
          before.role === after.role
        ) {
          if (!watched.actions.some(({ kind }) => kind === "run-hook")) return;
        }
        this.hooks(watched);
        this.dues.set(host, dueOf(watched));
        const role = this.roles.get(host);
        if (role) role.is = after.role;
        return;
      }
      case "told":
        return this.tells(watched.host, watched.event);
      case "agent":
        if (watched.what !== "stopped" && watched.what !== "continues") {
          this.dues.delete(watched.host);
          this.roles.delete(watched.host);
        }
        return;
      case "machine":
        if (watched.what === "resets" || watched.what === "off") {
          this.dues.delete(watched.host);
          this.roles.delete(watched.host);
        }
        return;
      default:
    }
  }
}

export const noticesOnce: CheckerKind = {
  name: "notices-once",
  words: "a change that is told twice, or not at all",
  cases: ["verdict", "group", "role", "path", "verdict hook"],
  make: (world, faults, report) => new NoticesOnce(world, faults, report),
};
