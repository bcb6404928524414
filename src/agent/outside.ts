/** The arbiter outside, from the agent's side: one question at a time, always answered. */
import { type Arbiter, openArbiter } from "../arbiter/arbiter.ts";
import { reservationKey } from "../arbiter/reservation-key.ts";
import { type Config, ownHost, ownSite } from "../core/base/config.ts";
import type { Action, Input } from "../core/step/state.ts";

export type AskArbiter = Extract<Action, { kind: "ask-arbiter" }>;

/** null where the policy needs none. */
export function arbiterOf(config: Config): Arbiter | null {
  const { takeover, policy } = config;
  const limitMs = takeover.arbiterLimitMs;
  switch (policy) {
    case "reservation": {
      const key = reservationKey(config.cluster, ownSite(config).id, ownHost(config).slot);
      return openArbiter({
        kind: "reservation",
        devices: takeover.reservationDevices,
        key,
        limitMs,
      });
    }
    case "booth": {
      const ticket = takeover.boothTicket ?? "";
      return openArbiter({ kind: "booth", ticket, client: takeover.boothClient, limitMs });
    }
    case "command": {
      const command = takeover.fenceCommand ?? [];
      return openArbiter({ kind: "command", command, limitMs });
    }
    case "notify":
    case "operator":
    case "lease":
    case "witness":
      return null;
  }
}

/** Carries out one question, and tells its answer. */
export function arbiterAsker(
  config: Config,
  nowMs: () => number,
  onInput: (input: Input) => void,
): (action: AskArbiter) => void {
  const arbiter = arbiterOf(config);
  return ({ op, term, peer }) => {
    const tell = (answer: "granted" | "denied" | "unknown", detail: string): void =>
      onInput({ kind: "arbiter", nowMs: nowMs(), term, op, answer, detail });
    if (!arbiter) return tell("unknown", "no arbiter is configured");
    const { takeover, self } = config;
    const request = { site: self.site, peer, term, limitMs: takeover.arbiterLimitMs };
    void arbiter[op](request).then(({ kind, detail }) => tell(kind, detail));
  };
}
