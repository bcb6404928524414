/**
 * The provider for DRBD: 9 by the JSON of `drbdsetup status`, 8.4 by its events or text, whichever
 * the program understands. A question goes to this host's kernel alone. What the states mean is in
 * drbd/view.ts, what the verbs do in drbd/verbs.ts.
 *
 * The other end is not asked: what a connected peer says of itself is in the local state, and what
 * was written at both ends is found by DRBD itself when they meet again, before it copies.
 *
 * A Secondary's device cannot be opened, so the reader of a heartbeat opens the backing disk
 * itself, for direct reading only: the mirror's `svol` is that disk.
 */
import { Asker, Deadline, type DrbdSettings } from "./drbd/ask.ts";
import { performChange, stepsOf } from "./drbd/verbs.ts";
import { viewOf } from "./drbd/view.ts";
import { commandOf, type ProviderContext, textOf } from "./open-provider.ts";
import { type Capabilities, fault, type PairAnswer, type PairProvider } from "./provider.ts";

const capabilities: Capabilities = {
  verbs: ["create", "split", "resync", "takeover", "remove"],
  copying: "either",
  secondaryRead: "backing-device",
  remoteQuery: false,
  atomicSwap: false,
};

const askThere = "DRBD tells of its own host: ask at the other one";

function settingsOf({ own }: ProviderContext): DrbdSettings {
  return {
    resource: textOf(own, "resource") ?? "",
    volume: Number(own["volume"] ?? 0),
    drbdsetup: commandOf(own, "drbdsetup"),
    drbdadm: commandOf(own, "drbdadm"),
  };
}

export function drbdProvider(context: ProviderContext): PairProvider {
  const settings = settingsOf(context);
  const asker = new Asker(settings);
  return {
    capabilities,
    identify: (deadlineMs) => asker.identify(deadlineMs),
    async query(scope, deadlineMs): Promise<PairAnswer> {
      const observedMs = context.nowMs();
      const deadline = new Deadline(deadlineMs);
      const asked = await asker.ask(deadlineMs);
      if (!asked.ok) return asked;
      if (!asked.resource) {
        // Down, or a name that nobody has configured: only the former is a pair's state.
        const configured = await asker.configuredDisk(deadline.leftMs());
        if (!configured.ok) return configured;
      }
      const seen = viewOf(asked.resource, settings.volume, context.end);
      if (!seen.ok) return seen;
      const remoteFault = scope === "both" ? fault("unsupported", askThere) : null;
      return { ok: true, observedMs, local: seen.view, remote: null, remoteFault };
    },
    commands: (change) =>
      stepsOf(change, context.end, settings.resource).map((args) =>
        [...settings.drbdadm, ...args].join(" "),
      ),
    perform: (change, deadlineMs) =>
      performChange(change, context.end, settings, asker, deadlineMs),
  };
}
