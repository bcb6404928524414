/** Installing and removing as a person asks for it: what is refused, and why. */
import { type Command, nextCommandNumber, ownEnd, takesPart } from "../base/devices.ts";
import { type MirrorConfig, ownHost, ownSite } from "../base/config.ts";
import { type ExitCode, exitCodes } from "../base/exit-codes.ts";
import { highestNumber, neededHosts, openCommands, tellingHosts } from "./commands.ts";
import { mirrorNamed, perform } from "./install.ts";
import { lockMirror, needsLock } from "./lock.ts";
import { beatingDropped, digestName, silentDropped, stageFault } from "./reconfigure.ts";
import {
  type Action,
  type Input,
  type Installation,
  type InstallWish,
  networkPath,
  type Staged,
  type State,
  type Step,
} from "./state.ts";

type Request = Extract<Input, { kind: "install" }>;
type Refused = { readonly code: ExitCode; readonly message: string };

function requestFault(state: State, request: Request): Refused | null {
  const { what, mirror: name, force } = request;
  const { config } = state;
  if (what === "reconfigure") return switchFaultOf(state, force);
  const refuse = (code: ExitCode, message: string): Refused => ({ code, message });
  const mirror = mirrorNamed(state, name);
  if (!mirror) {
    const names = config.mirrors.map((each) => each.name).join(", ") || "none";
    return refuse(exitCodes.usage, `no mirror '${name}' is configured; there are: ${names}`);
  }
  if (!ownEnd(config, mirror)) {
    const message = `'${name}' joins ${mirror.writer} and ${mirror.reader}, not this site`;
    return refuse(exitCodes.usage, message);
  }
  if (what !== "deinstall-local" && mirror.writer !== config.self.site) {
    const remedy = what === "deinstall" ? ", or with --local here" : "";
    const message = `'${name}' is written by ${mirror.writer}: run it at a host there${remedy}`;
    return refuse(exitCodes.usage, message);
  }
  if (what === "install" && !mirror.enabled) {
    const message = `'${name}' is switched off in the configuration: set enabled = true first`;
    return refuse(exitCodes.config, message);
  }
  if (!state.selfEnabled) {
    const message = "this host is switched off, so it tells nobody anything; enable it first";
    return refuse(exitCodes.tryLater, message);
  }
  if (what !== "install" && !force && isLastPath(state, mirror)) {
    const message =
      `'${name}' is the last path between ${mirror.writer} and ${mirror.reader}: without it ` +
      "neither judges the other; --force removes it all the same";
    return refuse(exitCodes.unsafe, message);
  }
  if (what !== "install" && !force && siblingsNeed(state, mirror)) {
    const message =
      `'${name}' is the volume by which the hosts of ${mirror.writer} know of one another: ` +
      "without it none of them can take over, grant or hold a lease; --force removes it all the same";
    return refuse(exitCodes.unsafe, message);
  }
  return null;
}

/** Whether a site of several hosts keeps its lock there, or writes no other one. */
function siblingsNeed(state: State, mirror: MirrorConfig): boolean {
  const { config, devices } = state;
  if (mirror.writer !== config.self.site || ownSite(config).hosts.length < 2) return false;
  if (needsLock(state) && mirror.name === lockMirror(config)) return true;
  return !config.mirrors.some(
    ({ name, writer }) =>
      name !== mirror.name && writer === mirror.writer && takesPart(devices.registrations[name]),
  );
}

/** Whether all have the staged configuration; the silent come back with what their file says. */
function switchFaultOf(state: State, force: boolean): Refused | null {
  const { staged } = state;
  if (!staged) {
    const { generation } = state.config;
    const message = `nothing is staged here; generation ${generation} is in use: mirrorbeat config stage`;
    return { code: exitCodes.tryLater, message };
  }
  if (!state.selfEnabled) {
    return { code: exitCodes.tryLater, message: "this host is switched off; enable it first" };
  }
  const misfit = stageFault(state, staged.config);
  if (misfit !== null) return { code: exitCodes.config, message: misfit };
  const alive = beatingDropped(state, staged.config);
  if (alive.length > 0) {
    const message = `it takes out hosts that beat: ${alive.join(", ")}; stop them in order first`;
    return { code: exitCodes.tryLater, message };
  }
  const waits = unstagedHosts(state, staged);
  const behind = waits.filter(({ beats }) => beats || !force).map(({ text }) => text);
  if (behind.length > 0) {
    const message =
      `not yet: ${behind.join(", ")}; a beat or two after the last \`config stage\` all know; ` +
      "hosts that are silent can be left behind by --force";
    return { code: exitCodes.tryLater, message };
  }
  const unsure = silentDropped(state, staged.config);
  if (unsure.length === 0 || force) return null;
  const message =
    `it takes out hosts that never said goodbye: ${unsure.join(", ")}; if one of them serves, ` +
    "nobody would count it any more. --force, once they are surely down";
  return { code: exitCodes.unsafe, message };
}

export type Unstaged = { readonly text: string; readonly beats: boolean };

/** Hosts that do not have it staged, each with the reason, as far as records tell. */
export function unstagedHosts(state: State, staged: Staged): readonly Unstaged[] {
  const telling = tellingHosts(state);
  const digests = new Map<string, number>([
    ...state.peers.map(({ host, word }) => [host.name, word?.stagedDigest ?? 0] as const),
    ...Object.entries(state.siblings).map(([name, { staged: digest }]) => [name, digest] as const),
  ]);
  const all: Command = { number: 0n, kind: "reconfigure", mirror: "" };
  return neededHosts(state, all).flatMap(({ host }): readonly Unstaged[] => {
    if (!staged.config.sites.some(({ hosts }) => hosts.some(({ name }) => name === host)))
      return [];
    if (!telling.has(host)) return [{ text: `${host} is silent`, beats: false }];
    if (digests.get(host) === staged.digest) return [];
    return [{ text: `${host} has not staged the same, or not told so yet`, beats: true }];
  });
}

/** Holds a configuration ready, or drops it. */
export function stage(state: State, input: Extract<Input, { kind: "stage" }>): Step {
  const answer = (code: ExitCode, message: string): Action => {
    return { kind: "answer", id: input.id, code, message };
  };
  const { staged } = input;
  const fault = staged ? stageFault(state, staged.config) : null;
  if (fault !== null) return { state, actions: [answer(exitCodes.config, fault)], events: [] };
  const generation = staged?.config.generation ?? state.config.generation;
  const fields = { step: staged ? "staged" : "unstaged", generation };
  const message = staged
    ? `generation ${generation} is staged here as ${digestName(staged.digest)}`
    : "nothing is staged here now";
  return {
    state: { ...state, staged, refusedCommand: null },
    actions: [answer(exitCodes.ok, message)],
    events: [{ level: "notice", ev: "config", fields }],
  };
}

/** Whether the reading site would see the writing one on no path any more. */
function isLastPath(state: State, mirror: MirrorConfig): boolean {
  if (!state.paths[mirror.name]?.enabled) return false;
  if (state.paths[networkPath]?.enabled) return false;
  return !state.config.mirrors.some(
    ({ name, writer, reader }) =>
      name !== mirror.name &&
      writer === mirror.writer &&
      reader === mirror.reader &&
      state.paths[name]?.enabled,
  );
}

const commandKind = {
  install: "activate",
  deinstall: "deactivate",
  "deinstall-local": "deactivate",
  reconfigure: "reconfigure",
} as const;
const firstPhase = {
  install: "opening",
  deinstall: "draining",
  "deinstall-local": "draining",
  reconfigure: "switching",
} as const;

/** Whether what is asked for is just being done, commanded here. */
function isSame(installation: Installation, { what, mirror }: Request): boolean {
  const { command, issuer } = installation;
  const local = command.number === 0n;
  const kind = what === "install" ? "activate" : "deactivate";
  return (
    issuer &&
    command.mirror === mirror &&
    command.kind === kind &&
    local === (what === "deinstall-local")
  );
}

export function requestInstallation(state: State, input: Request): Step {
  const answer = (code: ExitCode, message: string): Action => {
    return { kind: "answer", id: input.id, code, message };
  };
  const fault = requestFault(state, input);
  if (fault) return { state, actions: [answer(fault.code, fault.message)], events: [] };
  const { installation } = state;
  if (installation && isSame(installation, input)) {
    return { state, actions: [answer(exitCodes.ok, "under way already")], events: [] };
  }
  const busy = busyText(state, input);
  if (busy !== null) {
    return { state, actions: [answer(exitCodes.tryLater, busy)], events: [] };
  }
  const begun = beginAsIssuer(state, input.what, input.mirror, input.wallNs);
  return { ...begun, actions: [answer(exitCodes.ok, "begun"), ...begun.actions] };
}

/** Why nothing can be begun now; null where it can. */
function busyText(state: State, { what, force }: Request): string | null {
  const { installation } = state;
  // A host that follows another, and cannot, takes it up again afterwards.
  const givesWay =
    installation !== null &&
    installation.waiting === null &&
    (installation.issuer ? installation.phase === "announcing" : installation.fault !== null);
  // While the file is being written for something else, what is begun here waits for it.
  if (installation && !givesWay) {
    const { mirror, kind } = installation.command;
    return `busy: ${kind} of ${mirror} is under way; look at \`mirrorbeat status\``;
  }
  if (what === "deinstall-local") return null;
  const hosts = tellingHosts(state);
  const open = openCommands(state, hosts);
  if (open.length === 0 || force) return null;
  return (
    `not all have carried out ${open.join(", ")}; wait, or drop it by --force: a host that is ` +
    "silent now will not hear of it"
  );
}

function beginAsIssuer(state: State, what: InstallWish, mirror: string, wallNs: bigint): Step {
  const own = ownHost(state.config);
  const local = what === "deinstall-local";
  const subject = what === "reconfigure" && state.staged ? digestName(state.staged.digest) : mirror;
  const number = local
    ? 0n
    : nextCommandNumber(highestNumber(state), state.ownSiteId, own.slot, wallNs);
  const kind = commandKind[what];
  const installation: Installation = {
    command: { number, kind, mirror: subject },
    issuer: true,
    phase: firstPhase[what],
    waiting: null,
    fault: null,
    retryMs: state.nowMs,
    acknowledged: [],
    volumeId: null,
  };
  return perform({ ...state, installation, lastInstallation: null }, wallNs);
}
