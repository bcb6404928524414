/**
 * Installing and removing a mirror keeps its order (docs/operations.md, "Mirrors"): each step is in
 * the device address file before the next begins, and before anybody is told of it.
 *
 *   beats     go out on a mirror, and it is watched, only where the file has it enabled; while it is
 *             on its way out, its writing end still beats
 *   receipts  no record tells of a command given, or done, that is not in the file
 *   removal   whoever commanded a removal takes the mirror out of its file only once a host of the
 *             reading end has, and every host there that surely beats and is heard
 *   end       once all faults are over, and what was stopped half-way was commanded again, every
 *             enabled mirror is installed at every host of both its ends, and no command is open
 *
 * What is in the file is what the shell said it had stored, not what an agent takes for stored.
 */
import { detectionBoundMs } from "../../core/base/timing.ts";
import type { Devices } from "../../core/base/devices.ts";
import type { CheckerKind } from "../checker.ts";
import type { Host } from "../host.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import { Beats, networkName, Peace, waysBetween } from "./ways.ts";

type Step = Extract<Watched, { kind: "step" }>;
type Publish = Extract<Step["actions"][number], { kind: "publish" }>;

const stateIn = (devices: Devices, mirror: string): string =>
  devices.registrations[mirror]?.state ?? "removed";

class Installed extends Judge {
  private readonly peace = new Peace(this.world, this.faults);

  private readonly beats = new Beats(this.world);

  private readonly boundMs =
    detectionBoundMs(this.world.config.timing, 0) / (1 - this.world.config.timing.driftPpm / 1e6);

  /** By host: what its file says. */
  private readonly filed = new Map<string, Devices>();

  /** Installed once more where it is: its file has it registered first, and it goes on meanwhile. */
  private readonly again = new Set<string>();

  /** Those of which a step was seen since their last start. */
  private readonly begun = new Set<string>();

  /** When a host's file last had a mirror on its way out, or lost it; by "HOST MIRROR". */
  private readonly drainingMs = new Map<string, number>();

  private readonly removedMs = new Map<string, number>();

  private hasFiled(host: string, devices: Devices, nowMs: number): void {
    const was = this.filed.get(host);
    this.filed.set(host, devices);
    for (const { name } of this.world.config.mirrors) {
      const now = stateIn(devices, name);
      const before = was ? stateIn(was, name) : now;
      if (before === now) continue;
      const key = `${host} ${name}`;
      if (before === "enabled" && now === "registered") this.again.add(key);
      else this.again.delete(key);
      if (now === "draining") this.drainingMs.set(key, nowMs);
      else if (now === "removed") this.removedMs.set(key, nowMs);
    }
  }

  private published(host: string, { body, paths }: Publish, filed: Devices): void {
    for (const path of paths) {
      if (path === networkName) continue;
      const state = stateIn(filed, path);
      if (state === "enabled" || state === "draining" || this.again.has(`${host} ${path}`))
        continue;
      this.report(`${host} beats on ${path}, which is ${state} in its file`);
    }
    if (body.commandDone > filed.commandDone)
      this.report(`${host} tells that it has done command ${body.commandDone}: not in its file`);
    if (body.command !== 0n && body.command !== filed.command?.number)
      this.report(`${host} gives the command ${body.command}, which is not in its file`);
  }

  private watchedPaths({ host, after }: Step, filed: Devices): void {
    for (const { name, reader } of this.world.config.mirrors) {
      if (reader !== this.world.host(host).site || !after.paths[name]?.enabled) continue;
      const state = stateIn(filed, name);
      if (state !== "enabled" && !this.again.has(`${host} ${name}`))
        this.report(`${host} watches ${name}, which is ${state} in its file`);
    }
  }

  /** Whether that host was surely heard all the while. */
  private isHeard(from: Host, to: Host, nowMs: number): boolean {
    const sinceMs = nowMs - this.boundMs;
    return (
      this.beats.since(from, sinceMs) &&
      this.beats.since(to, sinceMs) &&
      this.peace.hasHost(from, sinceMs, nowMs) &&
      this.peace.hasHost(to, sinceMs, nowMs) &&
      waysBetween(this.world, from, to).some((way) =>
        this.peace.hasWay(from, to, way, sinceMs, nowMs),
      )
    );
  }

  /** Whoever gave the command is about to forget the mirror. */
  private removes(host: string, mirror: string, nowMs: number): void {
    const reader = this.world.config.mirrors.find(({ name }) => name === mirror)?.reader ?? "";
    const sinceMs = this.drainingMs.get(`${host} ${mirror}`) ?? Number.NEGATIVE_INFINITY;
    const hasRemoved = ({ name }: Host): boolean => {
      const filed = this.filed.get(name);
      if (filed && stateIn(filed, mirror) === "removed") return true;
      const removedMs = this.removedMs.get(`${name} ${mirror}`);
      return removedMs !== undefined && removedMs >= sinceMs;
    };
    const others = this.world.hostsOf(reader);
    this.count("mirror removed at both ends");
    if (!others.some(hasRemoved))
      this.report(`${host} removes ${mirror}, which no host of ${reader} has removed`);
    for (const from of others) {
      if (hasRemoved(from) || !this.isHeard(from, this.world.host(host), nowMs)) continue;
      this.report(`${host} removes ${mirror}, which ${from.name} has not, that beats`);
    }
  }

  private stored({ host, before, actions }: Step, nowMs: number): void {
    for (const action of actions) {
      if (action.kind !== "store-devices") continue;
      const { installation } = before;
      if (!installation?.issuer || installation.command.number === 0n) continue;
      const { kind, mirror } = installation.command;
      const isGone = stateIn(action.devices, mirror) === "removed";
      if (kind === "deactivate" && isGone && stateIn(before.devices, mirror) !== "removed")
        this.removes(host, mirror, nowMs);
    }
  }

  private stepped(step: Step, nowMs: number): void {
    const { host, before, input, after, actions } = step;
    if (!this.begun.has(host)) this.hasFiled(host, before.devices, nowMs);
    this.begun.add(host);
    const isStored = input.kind === "devices-stored" && input.fault === "";
    if (isStored && before.storing) this.hasFiled(host, before.storing, nowMs);
    const filed = this.filed.get(host) ?? before.devices;
    for (const action of actions) {
      if (action.kind === "publish") this.published(host, action, filed);
    }
    if (input.kind === "devices-stored") this.count("file stored");
    if (before.devices !== after.devices || input.kind === "beat") this.watchedPaths(step, filed);
    if (before.storing !== after.storing) this.stored(step, nowMs);
  }

  watch(watched: Watched, nowMs: number): void {
    this.peace.watch(watched, nowMs);
    this.beats.watch(watched, nowMs);
    // What it has on its disk it takes up as it begins.
    if (watched.kind === "step") return this.stepped(watched, nowMs);
    if (watched.kind !== "agent" || watched.what !== "begins") return;
    this.begun.delete(watched.host);
    for (const { name } of this.world.config.mirrors) this.again.delete(`${watched.host} ${name}`);
  }

  /** Where a mirror is not enabled at a host that has to have it: the mirror, host and state. */
  private lacking(): readonly { readonly mirror: string; readonly host: string; now: string }[] {
    return this.world.config.mirrors
      .filter(({ enabled }) => enabled)
      .flatMap(({ name: mirror, writer, reader }) =>
        [...this.world.hostsOf(writer), ...this.world.hostsOf(reader)].flatMap((one) => {
          const now = one.state === null ? "enabled" : stateIn(one.state.devices, mirror);
          return now === "enabled" ? [] : [{ mirror, host: one.name, now }];
        }),
      );
  }

  /** A command that gave way to another one, or was stopped half-way, is to be run again. */
  mend(): boolean {
    const [first] = this.lacking();
    const { writer } = this.world.config.mirrors.find(({ name }) => name === first?.mirror) ?? {};
    const free = this.world.hostsOf(writer ?? "").find((one) => one.state?.installation === null);
    if (!first || !free) return false;
    this.count("command given again");
    void free
      .withAgent((agent) => agent.install("install", first.mirror, false))
      .then((answer) => {
        const { code = null, message = "" } = answer ?? {};
        const text = `install ${first.mirror}`;
        this.world.watch({ kind: "command", host: free.name, text, code, message });
      });
    return true;
  }

  end(): void {
    this.count("end looked at");
    for (const { mirror, host, now } of this.lacking())
      this.report(`${mirror} is ${now} at ${host}, after all faults`);
    for (const { name, state } of this.world.hosts.values()) {
      const open = state?.devices.command ?? state?.installation?.command ?? null;
      if (open) this.report(`${name} is still at ${open.kind} ${open.mirror}, after all faults`);
    }
  }
}

export const installed: CheckerKind = {
  name: "installed",
  words: "a mirror installed or removed out of order, or not at both its ends",
  cases: ["file stored", "mirror removed at both ends", "end looked at"],
  make: (world, faults, report) => new Installed(world, faults, report),
};
