/**
 * Installing and removing a heartbeat mirror, across both sites and safe against a crash at every
 * step (claims 19 and 20 of the application).
 *
 *   install    writing site: PVOL registered -> enabled -> activation sent
 *              every other host: volume registered -> enabled -> receipt
 *              writing site: receipts seen
 *   deinstall  writing site: draining -> deactivation sent
 *              every other host: draining, so no longer judged -> de-registered -> receipt
 *              writing site: receipts seen -> de-registered
 *
 * Each step is durable in the device address file before the next begins, and each may be done
 * twice. A host that was down in between finds the command in the beats of the host that gave it.
 *
 * Invariant: nothing is written to a volume that was not opened, and found to be ours, first.
 */
import { type Devices, ownEnd, type Registration, withDone } from "../base/devices.ts";
import type { MirrorConfig } from "../base/config.ts";
import type { CoreEvent, EventValue } from "../base/event.ts";
import { type ExitCode, exitCodes } from "../base/exit-codes.ts";
import { commandFaults } from "../sector/layout.ts";
import { only } from "./chain.ts";
import { silentText } from "./commands.ts";
import type { Action, Input, Installation, State, Step } from "./state.ts";
import { digestName, reconfigured } from "./reconfigure.ts";
import { switchPath } from "./switch.ts";

/** After a volume or the file could not be had. */
const retryAfterMs = 2000;

export function mirrorNamed(state: State, name: string): MirrorConfig | undefined {
  return state.config.mirrors.find((mirror) => mirror.name === name);
}

export function told(
  installation: Pick<Installation, "command">,
  step: string,
  fields: Readonly<Record<string, EventValue>> = {},
): CoreEvent {
  const { mirror, number } = installation.command;
  const which = number === 0n ? {} : { command: number };
  return { level: "notice", ev: "mirror", fields: { mirror, step, ...which, ...fields } };
}

function registrationFor(
  state: State,
  { command, volumeId }: Installation,
  wanted: Registration["state"],
  wallNs: bigint,
): Registration | null {
  const mirror = mirrorNamed(state, command.mirror);
  const own = mirror && ownEnd(state.config, mirror);
  if (!own) return null;
  const known = state.devices.registrations[command.mirror];
  return { ...own, volumeId: volumeId ?? known?.volumeId ?? null, state: wanted, sinceNs: wallNs };
}

/** The device address file as it is to be when the present phase is done. */
function devicesAfter(state: State, installation: Installation, wallNs: bigint): Devices {
  const { devices } = state;
  const { command, issuer, phase } = installation;
  const { mirror, number } = command;
  const registrations = { ...devices.registrations };
  const put = (wanted: Registration["state"]): void => {
    const registration = registrationFor(state, installation, wanted, wallNs);
    if (registration) registrations[mirror] = registration;
  };
  const given: Devices = { ...withDone(devices, number), command, commandSeen: number };
  const isGiven = issuer && number !== 0n;
  const done = issuer ? devices : withDone(devices, number);
  switch (phase) {
    case "registering":
      put("registered");
      return { ...devices, registrations };
    case "enabling":
      put("enabled");
      return { ...(isGiven ? given : done), registrations };
    case "switching": {
      const { staged, config } = state;
      const isStaged = staged !== null && digestName(staged.digest) === mirror;
      const { generation } = isStaged ? staged.config : config;
      return { ...(isGiven ? given : done), generation };
    }
    case "draining":
      if (registrations[mirror]) put("draining");
      return { ...(isGiven ? given : devices), registrations };
    case "deregistering": {
      delete registrations[mirror];
      return { ...done, registrations };
    }
    case "opening":
    case "announcing":
      return devices;
  }
}

/** Asks the shell for what the present phase needs; nothing while something is asked for. */
export function perform(state: State, wallNs: bigint): Step {
  const { installation } = state;
  if (!installation || installation.waiting !== null || state.storing !== null) return only(state);
  switch (installation.phase) {
    case "opening":
      return {
        state: { ...state, installation: { ...installation, waiting: "volume" } },
        actions: [{ kind: "open-volume", mirror: installation.command.mirror }],
        events: [],
      };
    case "registering":
    case "enabling":
    case "switching":
    case "draining":
    case "deregistering": {
      const storing = devicesAfter(state, installation, wallNs);
      // What drains at its reading end is not judged from this moment, whatever the file does.
      const follows = installation.phase === "draining" && !installation.issuer;
      const calm = follows ? drained(state, installation) : state;
      return {
        state: { ...calm, storing, installation: { ...installation, waiting: "file" } },
        actions: [...switchedOn(installation), { kind: "store-devices", devices: storing }],
        events: [],
      };
    }
    case "announcing":
      return only(state);
  }
}

/** What was switched off by hand before is on once it is installed: forgotten first. */
function switchedOn({ phase, command }: Installation): readonly Action[] {
  return phase === "enabling" ? [{ kind: "forget-switch", mirror: command.mirror }] : [];
}

function drained(state: State, { command }: Installation): State {
  const mirror = mirrorNamed(state, command.mirror);
  if (!mirror || mirror.writer === state.config.self.site) return state;
  return switchPath(state, command.mirror, false);
}

export function volumeOpened(state: State, input: Extract<Input, { kind: "volume-opened" }>): Step {
  const { installation } = state;
  if (installation?.waiting !== "volume" || installation.command.mirror !== input.mirror) {
    return only(state);
  }
  if (input.fault !== "") return hindered(state, installation, "volume", input.fault);
  const next: Installation = {
    ...installation,
    phase: "registering",
    waiting: null,
    fault: null,
    volumeId: input.volumeId,
  };
  return perform({ ...state, installation: next }, input.wallNs);
}

/** The one who asked is told; a host that follows another tries again, and says why it waits. */
function hindered(
  state: State,
  installation: Installation,
  what: "volume" | "file",
  text: string,
): Step {
  const event: CoreEvent = {
    ...told(installation, "hindered", { phase: installation.phase, reason: text }),
    level: "warning",
  };
  if (installation.issuer) {
    const code = what === "volume" ? exitCodes.tryLater : exitCodes.cannotCreate;
    const message = `stopped at ${installation.phase}: ${text}; mend it and run it again`;
    const ended = ending({ ...state, storing: null }, installation, code, message);
    return { ...ended, events: [event, ...ended.events] };
  }
  const fault = { code: commandFaults[what], text };
  const retryMs = state.nowMs + retryAfterMs;
  const again = installation.fault?.text === text;
  return {
    state: {
      ...state,
      storing: null,
      installation: { ...installation, waiting: null, fault, retryMs },
    },
    actions: [],
    events: again ? [] : [event],
  };
}

export function ending(
  state: State,
  { command }: Installation,
  code: ExitCode,
  message: string,
): Step {
  const lastInstallation = { command, code, message };
  return only({ ...state, installation: null, lastInstallation });
}

export function devicesStored(
  state: State,
  input: Extract<Input, { kind: "devices-stored" }>,
): Step {
  const { installation, storing } = state;
  if (!storing) return only(state);
  if (installation?.waiting !== "file") {
    // A command that all have carried out was taken out of the file.
    return only(
      input.fault === ""
        ? { ...state, devices: storing, storing: null }
        : { ...state, storing: null },
    );
  }
  if (input.fault !== "") return hindered(state, installation, "file", input.fault);
  const stored: State = { ...state, devices: storing, storing: null };
  return phaseDone(stored, { ...installation, waiting: null, fault: null }, input.wallNs);
}

function phaseDone(state: State, installation: Installation, wallNs: bigint): Step {
  const { issuer, phase, command } = installation;
  const { mirror, number } = command;
  const end = state.devices.registrations[mirror]?.end ?? "volume";
  const go = (next: State, phaseNext: Installation["phase"], events: CoreEvent[]): Step => {
    const further = perform(
      { ...next, installation: { ...installation, phase: phaseNext } },
      wallNs,
    );
    return { ...further, events: [...events, ...further.events] };
  };
  switch (phase) {
    case "registering":
      return go(state, "enabling", [told(installation, `${end}-registered`)]);
    case "enabling": {
      const on = switchPath(state, mirror, true);
      const events = [told(installation, "enabled")];
      if (!issuer) {
        events.push(told(installation, "receipt-sent"));
        return { state: { ...on, installation: null }, actions: [], events };
      }
      events.push(told(installation, "activation-sent"));
      return go(on, "announcing", events);
    }
    case "switching":
      return switched(state, installation, wallNs);
    case "draining":
      if (!issuer || number === 0n) {
        const off = drained(state, installation);
        return go(off, "deregistering", [told(installation, "draining")]);
      }
      return go(state, "announcing", [
        told(installation, "draining"),
        told(installation, "deactivation-sent"),
      ]);
    case "deregistering": {
      const off = switchPath(state, mirror, false);
      const events = [told(installation, "deregistered")];
      if (!issuer) {
        events.push(told(installation, "receipt-sent"));
        return { state: { ...off, installation: null }, actions: [], events };
      }
      const message =
        number === 0n
          ? `${mirror} is removed at this host; nobody else was told`
          : `${mirror} is removed${silentText(off, installation)}`;
      const ended = ending(off, installation, exitCodes.ok, message);
      return { ...ended, events };
    }
    case "opening":
    case "announcing":
      return only(state);
  }
}

/** The staged configuration is in use from here on; one that is in use already stays. */
function switched(state: State, installation: Installation, wallNs: bigint): Step {
  const { staged } = state;
  const isStaged = staged !== null && digestName(staged.digest) === installation.command.mirror;
  const next = isStaged ? reconfigured(state, staged) : state;
  const actions: Action[] = isStaged ? [{ kind: "reconfigure", before: state.config }] : [];
  const events = [told(installation, "switched", { generation: next.config.generation })];
  if (!installation.issuer) {
    return { state: { ...next, installation: null }, actions, events };
  }
  const further = perform(
    { ...next, installation: { ...installation, phase: "announcing" } },
    wallNs,
  );
  return { ...further, actions: [...actions, ...further.actions], events };
}
