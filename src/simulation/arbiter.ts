/** Arbiters outside, simulated: a reservation or a ticket that one site holds, and a fencing program. */
import type { World as AgentWorld } from "../agent/world.ts";
import type { Config } from "../core/base/config.ts";

const answerMs = 30;

export type Asker = {
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
};

/** `isOff`: whether nothing runs at that site, which a fencing program finds out. */
export function simulatedArbiter(
  config: Config,
  isOff: (site: string) => boolean,
): (asker: Asker) => AgentWorld["arbiter"] {
  let holder: string | null = null;
  return ({ nowMs, after }) =>
    (own, onInput) =>
    ({ op, term, peer }) => {
      const { site } = own.self;
      after(answerMs, () => {
        const tell = (answer: "granted" | "denied" | "unknown", detail: string): void =>
          onInput({ kind: "arbiter", nowMs: nowMs(), term, op, answer, detail });
        if (config.policy === "command") {
          return isOff(peer) ? tell("granted", "it is off") : tell("denied", "it is not off");
        }
        if (config.policy !== "booth" && config.policy !== "reservation") {
          return tell("unknown", "no arbiter is configured");
        }
        if (op === "release" && holder === site) holder = null;
        if (op === "ask") holder ??= site;
        if (holder === site) return tell("granted", `held by ${site}`);
        tell("denied", `held by ${holder ?? "nobody"}`);
      });
    };
}
