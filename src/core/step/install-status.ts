/** What is installed at this host, and what is under way: for status, and for those who wait. */
import { neededHosts, tellingHosts } from "./commands.ts";
import { waitingFor } from "./install-follow.ts";
import { unstagedHosts } from "./install-request.ts";
import { digestName } from "./reconfigure.ts";
import type { InstallationEnd, State } from "./state.ts";

const numbered = ({ command, code, message }: InstallationEnd) => ({
  kind: command.kind,
  mirror: command.mirror,
  command: String(command.number),
  code,
  message,
});

export function installationStatus(state: State) {
  const { installation, lastInstallation, devices } = state;
  return {
    now: installation
      ? {
          kind: installation.command.kind,
          mirror: installation.command.mirror,
          command: String(installation.command.number),
          commandedHere: installation.issuer,
          phase: installation.phase,
          acknowledged: installation.acknowledged,
          needed: neededHosts(state, installation.command).map(({ host }) => host),
          waitingFor: waitingFor(state),
        }
      : null,
    last: lastInstallation ? numbered(lastInstallation) : null,
    /** Given by this host, and still told to those that have not done it. */
    staged: state.staged
      ? {
          generation: state.staged.config.generation,
          digest: digestName(state.staged.digest),
          /** Why it cannot be switched to yet. */
          waitingFor: unstagedHosts(state, state.staged).map(({ text }) => text),
        }
      : null,
    generation: state.config.generation,
    told: devices.command ? String(devices.command.number) : null,
    registrations: Object.entries(devices.registrations).map(([mirror, registration]) => ({
      mirror,
      end: registration.end,
      device: registration.device,
      volume: registration.volumeId,
      state: registration.state,
    })),
  };
}

const hex = (id: number): string => (id >>> 0).toString(16).padStart(8, "0");

/** Who holds the same keys as this host, and who signs with which: before keys are changed. */
export function keysStatus(state: State) {
  const beating = tellingHosts(state);
  const peers = state.peers.map(({ host, word }) => ({ host: host.name, keys: word }));
  const siblings = Object.entries(state.siblings).map(([host, { keys }]) => ({ host, keys }));
  return {
    ring: hex(state.keyRing),
    others: [...peers, ...siblings].map(({ host, keys }) => ({
      host,
      beats: beating.has(host),
      ring: keys ? hex(keys.keyRing) : null,
      signs: keys ? hex(keys.keyId) : null,
    })),
  };
}
