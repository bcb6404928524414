/**
 * Installing and removing as hosts do it with each other: commands taken up, receipts seen.
 * Everything is told by the newest records of those that beat; see commands.ts.
 */
import { type MirrorConfig, ownHost } from "../base/config.ts";
import { type Command, type Devices, nextCommandNumber, ownEnd } from "../base/devices.ts";
import type { CoreEvent } from "../base/event.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { commandFaults } from "../sector/layout.ts";
import {
  hasDone,
  highestNumber,
  neededHosts,
  newestCommand,
  probe,
  silentHosts,
  silentText,
  type Telling,
  tellingHosts,
} from "./commands.ts";
import { announcing } from "./begin.ts";
import { chain, only } from "./chain.ts";
import { ending, mirrorNamed, perform, told } from "./install.ts";
import { beatingDropped, digestName, stageFault } from "./reconfigure.ts";
import type { Input, Installation, State, Step } from "./state.ts";

/** Why it is not done: for people who wait. */
export function waitingFor(state: State): readonly string[] {
  const { installation } = state;
  if (!installation) return [];
  if (installation.phase !== "announcing") {
    return installation.fault ? [installation.fault.text] : [];
  }
  const hosts = tellingHosts(state);
  return silentHosts(state, installation).map((host) => {
    const telling = hosts.get(host);
    if (!telling) return `${host}: silent`;
    const { commandSeen, commandFault } = telling.told;
    if (commandSeen < installation.command.number) return `${host}: has not heard of it yet`;
    return `${host}: ${faultText(commandFault)}`;
  });
}

function faultText(code: number): string {
  switch (code) {
    case commandFaults.unknown:
      return "its configuration has no such mirror";
    case commandFaults.volume:
      return "cannot open its volume; is the pair made, and copied?";
    case commandFaults.file:
      return "cannot write its device address file";
    case commandFaults.off:
      return "its configuration has the mirror switched off";
    case commandFaults.config:
      return "the staged configuration does not fit what it has, or drops a host that beats";
    default:
      return "is at it";
  }
}

/** A host that has seen higher numbers never hears ours: ours was lost, or given too early. */
function isAhead(hosts: Telling, needed: readonly { readonly host: string }[], number: bigint) {
  return needed.some(({ host }) => {
    const telling = hosts.get(host)?.told;
    return telling !== undefined && telling.commandSeen > number && telling.command === 0n;
  });
}

/** Given again under a number that all will hear; what is done already is done again. */
function renumbered(state: State, installation: Installation, wallNs: bigint): Step {
  const { slot } = ownHost(state.config);
  const number = nextCommandNumber(highestNumber(state), state.ownSiteId, slot, wallNs);
  const command = { ...installation.command, number };
  const phase = givingPhase[command.kind];
  const next: Installation = { ...installation, command, phase, acknowledged: [] };
  return perform({ ...state, installation: next }, wallNs);
}

function seeReceipts(state: State, hosts: Telling, wallNs: bigint): Step {
  const { installation } = state;
  if (installation?.phase !== "announcing") return only(state);
  const { command, acknowledged } = installation;
  const needed = neededHosts(state, command);
  if (isAhead(hosts, needed, command.number)) return renumbered(state, installation, wallNs);
  const done = needed.filter(({ host }) => hasDone(hosts.get(host), command));
  const fresh = done.filter(({ host }) => !acknowledged.includes(host));
  const events = fresh.map(({ host }) => told(installation, "acknowledged", { host }));
  const known = [...acknowledged, ...fresh.map(({ host }) => host)];
  const next: Installation = { ...installation, acknowledged: known };
  const seen: State = fresh.length > 0 ? { ...state, installation: next } : state;
  const mirror = mirrorNamed(state, command.mirror);
  const isFar = (site: string): boolean =>
    mirror ? site === mirror.reader : site !== state.config.self.site;
  const readerDone = needed.some(({ host, site }) => isFar(site) && known.includes(host));
  const acked = new Set(known);
  const allLiving = needed.every(({ host }) => acked.has(host) || !hosts.has(host));
  if (!readerDone || !allLiving) return { state: seen, actions: [], events };
  const finished =
    command.kind === "deactivate" ? removed(seen, next, wallNs) : installed(seen, next);
  return { ...finished, events: [...events, ...finished.events] };
}

function installed(state: State, installation: Installation): Step {
  const { kind, mirror } = installation.command;
  const isMirror = kind === "activate";
  const what = isMirror
    ? `${mirror} is installed`
    : `generation ${state.config.generation} is in use`;
  const message = `${what}${silentText(state, installation)}`;
  const ended = ending(state, installation, exitCodes.ok, message);
  return { ...ended, events: [told(installation, isMirror ? "installed" : "switched-everywhere")] };
}

function removed(state: State, installation: Installation, wallNs: bigint): Step {
  return perform({ ...state, installation: { ...installation, phase: "deregistering" } }, wallNs);
}

// ---- Following others

const firstPhase = {
  activate: "opening",
  deactivate: "draining",
  reconfigure: "switching",
} as const;
/** The phase that writes the command into the device address file, before it is announced. */
const givingPhase = {
  activate: "enabling",
  deactivate: "draining",
  reconfigure: "switching",
} as const;
const receivedStep = {
  activate: "activation-received",
  deactivate: "deactivation-received",
  reconfigure: "switch-received",
} as const;

/** Why this host cannot carry the command out at all; 0 where it can. */
function refusalOf(state: State, command: Command, mirror: MirrorConfig | undefined): number {
  if (command.kind !== "reconfigure") {
    if (!mirror) return commandFaults.unknown;
    return command.kind === "activate" && !mirror.enabled ? commandFaults.off : commandFaults.none;
  }
  const { staged, configDigest } = state;
  if (command.mirror === digestName(configDigest)) return commandFaults.none;
  if (!staged || command.mirror !== digestName(staged.digest)) return commandFaults.unknown;
  const fits = stageFault(state, staged.config) === null;
  return fits && beatingDropped(state, staged.config).length === 0
    ? commandFaults.none
    : commandFaults.config;
}

/** Takes up the newest command of another host, if there is one that is not done. */
function follow(state: State, hosts: Telling, wallNs: bigint): Step {
  const { devices, installation } = state;
  const above =
    devices.commandDone > devices.commandSeen ? devices.commandDone : devices.commandSeen;
  const resumable = !installation && devices.commandSeen > devices.commandDone;
  const floor = resumable ? devices.commandSeen - 1n : above;
  const newest = newestCommand(hosts, floor);
  if (!newest) return only(state);
  const { command, host } = newest;
  if (command.number === state.refusedCommand?.number) return only(state);
  if (installation?.waiting) return only(state); // one thing after the other
  const mirror = mirrorNamed(state, command.mirror);
  const seen: State = { ...state, devices: { ...devices, commandSeen: command.number } };
  const code = refusalOf(state, command, mirror);
  if (code !== commandFaults.none) {
    const refusedCommand = { number: command.number, code };
    const reason = faultText(code);
    const fields = { mirror: command.mirror, step: "refused", from: host, reason };
    const event: CoreEvent = { level: "warning", ev: "mirror", fields };
    return { state: { ...seen, refusedCommand }, actions: [], events: [event] };
  }
  if (mirror && !ownEnd(state.config, mirror)) return only(seen);
  const next: Installation = {
    command,
    issuer: false,
    phase: firstPhase[command.kind],
    waiting: null,
    fault: null,
    retryMs: state.nowMs,
    acknowledged: [],
    volumeId: null,
  };
  const step = receivedStep[command.kind];
  const superseded = installation?.issuer ? supersededBy(seen, installation, host) : only(seen);
  const begun = perform({ ...superseded.state, installation: next }, wallNs);
  const received = told(next, step, { from: host });
  return { ...begun, events: [...superseded.events, received, ...begun.events] };
}

/** Whoever gave the older one may have left: the journal says that it does not go on. */
function supersededBy(state: State, installation: Installation, host: string): Step {
  const { command } = installation;
  const message = `not all have carried it out: ${host} gave a newer command; run it again`;
  const devices = { ...state.devices, command: null };
  const lastInstallation = { command, code: exitCodes.tryLater, message };
  const event: CoreEvent = {
    ...told(installation, "superseded", { by: host }),
    level: "warning",
  };
  return { ...only({ ...state, devices, lastInstallation }), events: [event] };
}

/** A removal that gave way to something done at this host alone goes on after it. */
function withGiven(state: State): State {
  const { command, registrations } = state.devices;
  if (!command || state.installation || registrations[command.mirror]?.state !== "draining") {
    return state;
  }
  return { ...state, installation: announcing(command, state.nowMs) };
}

/** A command that every host has carried out is given no longer. */
function retire(state: State, hosts: Telling): Step {
  const { command } = state.devices;
  if (!command || state.installation || state.storing) return only(state);
  const needed = neededHosts(state, command);
  if (!needed.every(({ host }) => hasDone(hosts.get(host), command))) return only(state);
  const storing: Devices = { ...state.devices, command: null };
  return {
    state: { ...state, storing },
    actions: [{ kind: "store-devices", devices: storing }],
    events: [],
  };
}

/** Nothing is under way here, and nobody tells of a command: so it nearly always is. */
function isQuiet({ installation, devices, peers, siblings }: State): boolean {
  if (installation !== null || devices.command !== null) return false;
  if (peers.some(({ word }) => word !== null && word.command !== 0n)) return false;
  return Object.values(siblings).every(({ told: { command } }) => command === 0n);
}

/** With each beat: what others tell, and what waited long enough to be tried again. */
export function settleInstallation(state: State, wallNs: bigint): Step {
  if (isQuiet(state)) return only(state);
  const hosts = tellingHosts(state);
  return chain(
    state,
    (s) => only(withGiven(s)),
    (s) => seeReceipts(s, hosts, wallNs),
    (s) => follow(s, hosts, wallNs),
    (s) => retire(s, hosts),
    (s) => (s.installation && s.nowMs >= s.installation.retryMs ? perform(s, wallNs) : only(s)),
  );
}

/** A volume that is not installed was looked at: its writer may command that it be. */
export function seeProbe(state: State, input: Extract<Input, { kind: "probe" }>): Step {
  const { probes, told: found } = probe(state, input.mirror, input.records);
  const hosts = new Map(tellingHosts(state));
  for (const each of found) hosts.set(each.host, each);
  return chain(
    { ...state, probes },
    (s) => seeReceipts(s, hosts, input.wallNs),
    (s) => follow(s, hosts, input.wallNs),
  );
}
