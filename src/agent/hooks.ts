/**
 * The operator's hooks, from the agent's side: one after another, in bounded queues. Those that
 * start and stop the service have a queue of their own: a verdict's hook that hangs never delays
 * a takeover.
 */
import type { Config } from "../core/base/config.ts";
import type { Action } from "../core/step/state.ts";
import { type Clock, realClock } from "../host/clock.ts";
import { runHook } from "../host/hook.ts";
import type { Voice } from "./voice.ts";

const hooksWaitingMax = 16;

type Job = {
  readonly action: Extract<Action, { kind: "run-hook" }>;
  readonly done: (ok: boolean, detail: string) => void;
};
type Queue = (action: Job["action"], done: Job["done"]) => void;

/** What runs a program, and knows the time. */
export type HookTools = { readonly run: typeof runHook; readonly wallNs: Clock["wallNs"] };

export function hookRunner(
  config: Config,
  tell: Voice["tell"],
  tools: HookTools = { run: runHook, wallNs: realClock.wallNs },
): Queue {
  const service = hookQueue(config, tell, tools);
  const verdict = hookQueue(config, tell, tools);
  return (action, done) => (action.hook === "verdict" ? verdict : service)(action, done);
}

/** When too many wait, the oldest is dropped and said so. */
function hookQueue(config: Config, tell: Voice["tell"], { run, wallNs }: HookTools): Queue {
  const waiting: Job[] = [];
  let running = false;
  /** Cuts a start of the service short: a stop must not wait for its end. */
  let starting: AbortController | null = null;
  const next = async (): Promise<void> => {
    const job = waiting.shift();
    if (!job) {
      running = false;
      return;
    }
    running = true;
    const { action, done } = job;
    const command = config.hooks[action.hook];
    if (command) {
      const { facts } = action;
      const site = config.self.site;
      const env = {
        MIRRORBEAT_EVENT: facts.event,
        MIRRORBEAT_OLD_STATE: facts.oldState,
        MIRRORBEAT_NEW_STATE: facts.newState,
        MIRRORBEAT_PEER: facts.peer,
        MIRRORBEAT_SITE: site,
        MIRRORBEAT_HOST: config.self.host,
        MIRRORBEAT_TERM: String(facts.term),
        MIRRORBEAT_REASON: facts.reason,
        MIRRORBEAT_TIMESTAMP_EPOCH: String(wallNs() / 1_000_000_000n),
      };
      const args = [
        "GROUP",
        facts.event === "group" ? facts.peer : site,
        facts.newState.toUpperCase(),
        "0",
      ];
      starting = action.hook === "takeover" ? new AbortController() : null;
      const { limitMs } = config.hooks;
      const result = await run([...command, ...args], env, limitMs, starting?.signal);
      starting = null;
      done(result.ok, result.detail);
    }
    void next();
  };
  return (action, done) => {
    if (!config.hooks[action.hook]) return;
    if (action.hook === "superseded") {
      starting?.abort();
      // Nor may one begin after the service was stopped.
      for (const job of waiting.splice(0)) {
        if (job.action.hook === "takeover") job.done(false, "dropped: the service must stop");
        else waiting.push(job);
      }
    }
    if (waiting.length >= hooksWaitingMax) {
      const dropped = waiting.shift();
      tell({
        level: "error",
        ev: "hook",
        fields: { hook: dropped?.action.hook ?? "", ok: false, detail: "dropped: too many wait" },
      });
      dropped?.done(false, "dropped: too many wait");
    }
    waiting.push({ action, done });
    if (!running) void next();
  };
}
