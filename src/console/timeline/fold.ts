/**
 * Events to lanes. Each event either changes the state of a lane or stands as a mark on one.
 *
 * A host that dies writes no last line. So where a start has no stop before it, and after the last
 * line of a journal, what was told last goes on as "not sure" only: from the host's last sign of
 * life (a line, or a heartbeat that it took in) on, unless it is known that the agent ran.
 */
import { type EventKind, eventKinds } from "../../core/base/event.ts";
import { lookOf, markLetters, markTone, verdictLook } from "./looks.ts";
import {
  type Beats,
  type Lane,
  type LaneKind,
  plain,
  type ServiceRun,
  type Span,
  type Told,
} from "./model.ts";

type Draft<T> = { -readonly [K in keyof T]: T[K] };
type OpenLane = Omit<Lane, "spans" | "marks" | "beatsMs"> & {
  readonly spans: Draft<Span>[];
  readonly marks: Lane["marks"][number][];
  beatsMs: readonly number[];
  /** The last span of `spans` still goes on. */
  open: boolean;
};
type Host = {
  readonly name: string;
  site: string;
  /** An agent runs, as far as was told; null: nothing was told yet. */
  running: boolean | null;
  lastMs: number;
};

/** States of one lane; more than that are drawn by nobody. */
const spansMax = 100_000;

const isKind = (ev: string | undefined): ev is EventKind =>
  ev !== undefined && Object.hasOwn(eventKinds, ev);
export const isTold = (fields: Readonly<Record<string, string>>): boolean => isKind(fields["ev"]);

/** The fields of an event as words, without those that are said already. */
function restOf(fields: Told["fields"], ...said: readonly string[]): string {
  const known = new Set(["ev", "level", "step", ...said]);
  const rest = Object.entries(fields).filter(([key, value]) => !known.has(key) && value !== "");
  return rest.map(([key, value]) => (key === "reason" ? value : `${key} ${value}`)).join(", ");
}

const joined = (first: string, ...more: readonly string[]): string =>
  [first, ...more.filter((text) => text !== "")].join(": ");

/** What stands before the name in a lane's label; a path is named by itself. */
const labelOf: Partial<Record<LaneKind, string>> = {
  "one-way": "one-way",
  health: "own polling",
  pair: "pair",
  verdict: "verdict",
  group: "verdict",
};

export class Fold {
  readonly lanes = new Map<string, OpenLane>();
  private readonly hosts = new Map<string, Host>();
  private readonly beatsTo = new Map<string, readonly number[]>();

  private readonly agents: readonly ServiceRun[];

  constructor(beats: readonly Beats[], agents: readonly ServiceRun[]) {
    this.agents = agents;
    const byHost = new Map<string, number[]>();
    for (const { to, atMs } of beats) {
      const arrivals = byHost.get(to) ?? [];
      for (const each of atMs) arrivals.push(each);
      byHost.set(to, arrivals);
    }
    for (const [host, atMs] of byHost) {
      this.beatsTo.set(
        plain(host),
        atMs.sort((a, b) => a - b),
      );
    }
  }

  hostOf(name: string, site: string): Host {
    const known = this.hosts.get(name);
    if (known) {
      if (known.site === "") known.site = site;
      return known;
    }
    const host: Host = { name, site, running: null, lastMs: Number.NEGATIVE_INFINITY };
    this.hosts.set(name, host);
    return host;
  }

  siteOf(host: string): string {
    return this.hosts.get(host)?.site ?? "";
  }

  lane(host: string, kind: LaneKind, about: string): OpenLane {
    const key = JSON.stringify([host, kind, about]);
    const known = this.lanes.get(key);
    if (known) return known;
    const before = kind === "path" ? "" : (labelOf[kind] ?? kind);
    const label = `${before} ${about}`.trim();
    const lane: OpenLane = {
      group: host,
      host,
      site: this.siteOf(host),
      kind,
      about,
      label,
      spans: [],
      marks: [],
      beatsMs: [],
      open: false,
    };
    this.lanes.set(key, lane);
    return lane;
  }

  /** A state begins; the one before it ends. The same one again changes nothing. */
  set(lane: OpenLane, atMs: number, span: Pick<Span, "state" | "words"> & Partial<Span>): void {
    const last = lane.spans.at(-1);
    const look = { ...lookOf(lane.kind, span.state), ...span };
    if (lane.open && last?.state === look.state && last.label === look.label) return;
    this.close(lane, atMs);
    if (lane.spans.length >= spansMax) return;
    const { state, letter, fill, tone, label } = look;
    const words = plain(look.words);
    const detail = plain(look.detail ?? "", 120);
    lane.spans.push({
      fromMs: atMs, toMs: atMs, state: plain(state, 40), tone, letter, fill,
      label: plain(label, 60), detail, words, sure: true,
      term: plain(look.term ?? "", 24), isChange: look.isChange ?? true,
    }); // biome-ignore format: one list
    lane.open = true;
  }

  close(lane: OpenLane, atMs: number): void {
    const last = lane.spans.at(-1);
    if (lane.open && last) last.toMs = Math.max(last.fromMs, atMs);
    lane.open = false;
  }

  /** What was told last, from the last sign of life to `toMs`. */
  private closeUnsure(lane: OpenLane, signMs: number, toMs: number): void {
    const last = lane.spans.at(-1);
    if (!lane.open || !last) return;
    this.close(lane, signMs);
    if (toMs > signMs) {
      const fromMs = Math.max(signMs, last.fromMs);
      lane.spans.push({ ...last, fromMs, toMs, sure: false, isChange: false });
    }
  }

  /** The last sign of life of a host before that time. */
  private signMs(host: Host, beforeMs: number): number {
    const beats = this.beatsTo.get(host.name) ?? [];
    let low = 0;
    let high = beats.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((beats[middle] ?? 0) <= beforeMs) low = middle + 1;
      else high = middle;
    }
    let signMs = Math.max(host.lastMs, beats[low - 1] ?? host.lastMs);
    for (const { host: name, fromMs, toMs } of this.agents) {
      if (plain(name) === host.name && fromMs < beforeMs)
        signMs = Math.max(signMs, toMs ?? beforeMs);
    }
    return Math.min(beforeMs, signMs);
  }

  private lanesOf(host: string): readonly OpenLane[] {
    return [...this.lanes.values()].filter((lane) => lane.host === host);
  }

  private mark(host: Host, told: Told, kind: EventKind, place: LaneKind, words: string): void {
    const { level = "", step = "" } = told.fields;
    this.lane(host.name, place, "").marks.push({
      atMs: told.atMs,
      kind,
      letter: markLetters[kind],
      tone: markTone(kind, level),
      step: plain(step, 60),
      words: plain(words),
    });
  }

  take(told: Told): void {
    const { fields, atMs } = told;
    const kind = fields["ev"];
    if (!isKind(kind)) return;
    const host = this.hostOf(plain(told.host, 60), plain(told.site, 60));
    this.takeKind(host, told, kind);
    host.lastMs = Math.max(host.lastMs, atMs);
    if (host.running === null) host.running = true;
  }

  private takeKind(host: Host, told: Told, kind: EventKind): void {
    const { fields } = told;
    switch (kind) {
      case "start":
        return this.start(host, told);
      case "stop":
        return this.stop(host, told);
      case "role":
        return this.role(host, told);
      case "path":
      case "one-way":
      case "health":
      case "pair":
        return this.watched(host, told, kind);
      case "verdict":
      case "group":
        return this.verdict(host, told, kind);
      case "term":
      case "takeover":
      case "switchover":
      case "guard":
      case "lock":
      case "witness":
      case "watchdog":
      case "hook": {
        const first = fields["step"] ? `${kind} ${fields["step"]}` : kind;
        return this.mark(host, told, kind, "role", joined(first, restOf(fields)));
      }
      case "switch":
        this.switched(host, told);
        return this.mark(host, told, kind, "events", joined(kind, restOf(fields)));
      case "restart":
      case "left":
      case "signal":
      case "rejected":
      case "mirror":
      case "config":
      case "timing":
      case "link":
      case "device":
      case "network":
      case "journal":
      case "keys":
      case "slot": {
        const first = fields["step"] ? `${kind} ${fields["step"]}` : kind;
        return this.mark(host, told, kind, "events", joined(first, restOf(fields)));
      }
    }
  }

  /** A start that names its host is one of a process; another tells of a raised incarnation. */
  private start(host: Host, told: Told): void {
    const { fields, atMs } = told;
    const words = joined("start", restOf(fields, "host", "site"));
    if (fields["host"] === undefined) return this.mark(host, told, "start", "role", words);
    const died = host.running === true;
    const signMs = this.signMs(host, atMs);
    for (const lane of this.lanesOf(host.name)) {
      if (died) this.closeUnsure(lane, signMs, atMs);
      else this.close(lane, atMs);
    }
    const how = died ? "; the agent before it told no stop: killed, crashed, or rebooted" : "";
    this.mark(host, told, "start", "role", `${words}${how}`);
    host.running = true;
    const state = fields["role"] ?? "starting";
    const lane = this.lane(host.name, "role", "");
    const { term = "" } = fields;
    this.set(lane, atMs, { state, words: `role ${state} at the start`, term, isChange: false });
  }

  private stop(host: Host, told: Told): void {
    for (const lane of this.lanesOf(host.name)) this.close(lane, told.atMs);
    this.mark(host, told, "stop", "role", joined("stop", "the agent ended in order"));
    host.running = false;
    const lane = this.lane(host.name, "role", "");
    this.set(lane, told.atMs, {
      state: "no agent",
      words: "the agent is stopped",
      isChange: false,
    });
  }

  private role(host: Host, { fields, atMs }: Told): void {
    const state = fields["role"] ?? "";
    const was = fields["was"] ?? "-";
    const words = joined(`role ${state} (was ${was})`, restOf(fields, "role", "was"));
    const { reason: detail = "", term = "" } = fields;
    this.set(this.lane(host.name, "role", ""), atMs, { state, words, detail, term });
  }

  private watched(
    host: Host,
    { fields, atMs }: Told,
    kind: "path" | "one-way" | "health" | "pair",
  ): void {
    const { host: peer = "", path = "", mirror = "", direction = "" } = fields;
    const about = {
      path: `${path} from ${peer}`,
      "one-way": `${path} ${direction} ${peer}`,
      health: path,
      pair: mirror,
    }[kind];
    const fit = fields["fit"] === "true" ? "fit" : "unfit";
    const state = kind === "health" ? fit : (fields["state"] ?? "");
    const was = fields["was"] ? ` (was ${fields["was"]})` : "";
    const said = ["host", "path", "mirror", "direction", "state", "was", "fit"];
    const words = joined(
      `${labelOf[kind] ?? kind} ${about} ${state}${was}`,
      restOf(fields, ...said),
    );
    const detail = fields["cause"] ?? fields["reason"] ?? "";
    this.set(this.lane(host.name, kind, plain(about, 80)), atMs, { state, words, detail });
  }

  private verdict(host: Host, { fields, atMs }: Told, kind: "verdict" | "group"): void {
    const { row = "", action = "", verdict = "", site = "", host: peer = "" } = fields;
    const about = kind === "group" ? `site ${site}` : peer;
    const words = `${about}: row ${row}, ${action}: ${verdict} (was row ${fields["was"] ?? "-"})`;
    const look = verdictLook(plain(row, 8), action);
    const lane = this.lane(host.name, kind, plain(about, 80));
    this.set(lane, atMs, { ...look, state: `${row} ${action}`, words, detail: verdict });
  }

  /** Nothing is told of what is off: its lanes say so. */
  private switched(host: Host, { fields, atMs }: Told): void {
    const { kind = "", name = "", on = "" } = fields;
    const named = plain(name, 80);
    for (const lane of this.lanesOf(host.name)) {
      const isOf =
        kind === "host"
          ? lane.about.endsWith(` from ${named}`)
          : lane.about.startsWith(`${named} `);
      const state = on === "true" ? "starting" : "off";
      if (lane.kind === "path" && isOf) {
        this.set(lane, atMs, {
          state,
          words: `${lane.label}: switched ${on === "true" ? "on" : "off"}`,
        });
      }
      if (lane.kind === "verdict" && kind === "host" && lane.about === named && on !== "true")
        this.close(lane, atMs);
    }
  }

  /** Ends what is still open. */
  finish(toMs: number): void {
    for (const host of this.hosts.values()) {
      const signMs = this.signMs(host, toMs);
      for (const lane of this.lanesOf(host.name)) {
        if (host.running) this.closeUnsure(lane, signMs, toMs);
        else this.close(lane, toMs);
      }
    }
  }

  withBeats({ path, from, to, atMs }: Beats): void {
    const host = this.hostOf(plain(to, 60), "");
    const lane = this.lane(host.name, "path", plain(`${path} from ${from}`, 80));
    lane.beatsMs = [...lane.beatsMs, ...atMs].sort((a, b) => a - b);
  }

  withService(run: ServiceRun, toMs: number): void {
    const host = this.hostOf(plain(run.host, 60), "");
    const lane = this.lane(host.name, "service", "");
    this.set(lane, run.fromMs, { state: "runs", words: "the service runs" });
    this.close(lane, run.toMs ?? toMs);
  }
}
