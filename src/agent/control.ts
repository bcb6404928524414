/** The control socket: what a command may ask of a running agent. Requests are judged here, first. */
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { signalWaitMaxMs } from "../core/base/timing.ts";
import { gateView } from "../core/step/gate.ts";
import { switchFault } from "../core/step/switch.ts";
import type { InstallWish, Staged, State, SwitchTarget } from "../core/step/state.ts";
import type { Agent } from "./agent.ts";
import type { Answer } from "./world.ts";

export type ControlRequest =
  | { readonly op: "status" }
  | { readonly op: "events" }
  | { readonly op: "switch"; readonly target: SwitchTarget; readonly on: boolean }
  | { readonly op: "gate" }
  | { readonly op: "takeover"; readonly force: boolean; readonly peerIsOff: string }
  | { readonly op: "switchover"; readonly to: string; readonly repair: boolean }
  | {
      readonly op: "install";
      readonly what: InstallWish;
      readonly mirror: string;
      readonly force: boolean;
    }
  | {
      readonly op: "signal";
      readonly mirror: string;
      readonly waitMs: number;
      readonly force: boolean;
    }
  /** null: drop what is staged. */
  | { readonly op: "stage"; readonly file: string | null };

const installWishes: readonly InstallWish[] = [
  "install",
  "deinstall",
  "deinstall-local",
  "reconfigure",
];

/** Reads a configuration to hold it ready. */
export type Stager = (file: string) => Staged | Refusal;

function targetOf(value: unknown): SwitchTarget | null {
  if (typeof value !== "object" || value === null) return null;
  const { kind, name } = value as Record<string, unknown>;
  if (kind === "network") return { kind };
  if ((kind === "mirror" || kind === "host") && typeof name === "string") return { kind, name };
  return null;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** null for anything that is not a request. */
export function parseRequest(value: unknown): ControlRequest | null {
  if (typeof value !== "object" || value === null) return null;
  const request = value as Record<string, unknown>;
  switch (request["op"]) {
    case "status":
    case "events":
    case "gate":
      return { op: request["op"] };
    case "takeover":
      return {
        op: "takeover",
        force: request["force"] === true,
        peerIsOff: textOf(request["peerIsOff"]),
      };
    case "switchover":
      return {
        op: "switchover",
        to: textOf(request["to"]),
        repair: request["repair"] === true,
      };
    case "stage": {
      const { file } = request;
      return file === null || typeof file === "string" ? { op: "stage", file } : null;
    }
    case "install": {
      const what = installWishes.find((wish) => wish === request["what"]);
      const { mirror } = request;
      if (!what || typeof mirror !== "string") return null;
      return { op: "install", what, mirror, force: request["force"] === true };
    }
    case "signal": {
      const { mirror, waitMs } = request;
      if (typeof mirror !== "string" || typeof waitMs !== "number") return null;
      if (!(waitMs >= 0 && waitMs <= signalWaitMaxMs)) return null;
      return { op: "signal", mirror, waitMs, force: request["force"] === true };
    }
    case "switch": {
      const target = targetOf(request["target"]);
      if (!target || typeof request["on"] !== "boolean") return null;
      return { op: "switch", target, on: request["on"] };
    }
    default:
      return null;
  }
}

const refuse = (message: string): Answer => ({ code: exitCodes.usage, message });

/** The answer to one request; never throws on bad input. */
export async function answerRequest(
  value: unknown,
  agent: Agent,
  status: () => unknown,
  events: () => readonly string[],
  stager: Stager,
): Promise<unknown> {
  const request = parseRequest(value);
  if (!request) return refuse("not a request that this agent knows; are both of one version?");
  switch (request.op) {
    case "status":
      return status();
    case "events":
      return { schema: 1, events: events() };
    case "gate":
      agent.refresh();
      return gateView(agent.state, volumesFault(agent));
    case "takeover": {
      const { force, peerIsOff } = request;
      return agent.asked((id, nowMs) => ({ kind: "takeover", nowMs, id, force, peerIsOff }));
    }
    case "switchover": {
      const { to, repair } = request;
      return agent.asked((id, nowMs) => ({ kind: "switchover", nowMs, id, to, repair }));
    }
    case "stage": {
      const staged = request.file === null ? null : stager(request.file);
      if (staged && "message" in staged) return staged;
      return agent.asked((id, nowMs) => ({ kind: "stage", nowMs, id, staged }));
    }
    case "install":
      return agent.install(request.what, request.mirror, request.force);
    case "signal": {
      const { mirror, waitMs, force } = request;
      return agent.asked((id, nowMs) => ({ kind: "signal", nowMs, id, mirror, waitMs, force }));
    }
    case "switch":
      return switchNow(agent.state, agent, request.target, request.on);
  }
}

/** Why nothing can be read or written here; empty where some volume can. */
function volumesFault({ readers, writers }: Agent): string {
  const faults = [...Object.values(readers), ...Object.values(writers)].map(({ fault }) => fault);
  const dead = faults.length > 0 && faults.every((fault) => fault !== null);
  return dead ? `no heartbeat volume works here: ${faults[0] ?? ""}` : "";
}

async function switchNow(
  state: State,
  agent: Agent,
  target: SwitchTarget,
  on: boolean,
): Promise<Answer> {
  const fault = switchFault(state, target);
  if (fault) return refuse(fault);
  await agent.switch(target, on);
  const what = target.kind === "network" ? "the network path" : `${target.kind} ${target.name}`;
  return { code: exitCodes.ok, message: `${what} is ${on ? "enabled" : "disabled"}` };
}
