/** Installing and removing as a person asks for it: what is refused, and why. */
import { nextCommandNumber, ownEnd } from "../base/devices.ts";
import { type MirrorConfig, ownHost } from "../base/config.ts";
import { type ExitCode, exitCodes } from "../base/exit-codes.ts";
import { highestNumber, newestCommand, tellingHosts } from "./commands.ts";
import { mirrorNamed, perform } from "./install.ts";
import {
  type Action,
  type Input,
  type Installation,
  type InstallWish,
  networkPath,
  type State,
  type Step,
} from "./state.ts";

type Request = Extract<Input, { kind: "install" }>;
type Refused = { readonly code: ExitCode; readonly message: string };

function requestFault(state: State, { what, mirror: name, force }: Request): Refused | null {
  const { config } = state;
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
  return null;
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
  // What waits for silent hosts gives way; what is being written does not.
  if (installation && (!installation.issuer || installation.phase !== "announcing")) {
    const { mirror, kind } = installation.command;
    const message = `busy: ${kind} of ${mirror} is under way; look at \`mirrorbeat status\``;
    return { state, actions: [answer(exitCodes.tryLater, message)], events: [] };
  }
  const { commandSeen } = state.devices;
  const unheard = newestCommand(tellingHosts(state), commandSeen);
  if (unheard && input.what !== "deinstall-local") {
    const message = `busy: a command of ${unheard.host} comes first; try again in a moment`;
    return { state, actions: [answer(exitCodes.tryLater, message)], events: [] };
  }
  const begun = beginAsIssuer(state, input.what, input.mirror, input.wallNs);
  return { ...begun, actions: [answer(exitCodes.ok, "begun"), ...begun.actions] };
}

function beginAsIssuer(state: State, what: InstallWish, mirror: string, wallNs: bigint): Step {
  const own = ownHost(state.config);
  const local = what === "deinstall-local";
  const number = local ? 0n : nextCommandNumber(highestNumber(state), state.ownSiteId, own.slot);
  const kind = what === "install" ? "activate" : "deactivate";
  const installation: Installation = {
    command: { number, kind, mirror },
    issuer: true,
    phase: kind === "activate" ? "opening" : "draining",
    waiting: null,
    fault: null,
    retryMs: state.nowMs,
    acknowledged: [],
    volumeId: null,
  };
  return perform({ ...state, installation, lastInstallation: null }, wallNs);
}
