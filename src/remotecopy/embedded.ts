/**
 * The provider for the embedded remote copy: asks the process `mirrorbeat remotecopy` over its
 * control socket. Whatever keeps it from answering in time is a value, and proves nothing.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";
import { type Answer, request } from "../host/unix-server.ts";
import {
  type Command,
  type CommandName,
  type CopyView,
  parseView,
  takesMs,
} from "./embedded/command.ts";
import { type ProviderContext, textOf } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type FaultClass,
  type PairAnswer,
  type PairProvider,
  type PairRole,
  type PairView,
} from "./provider.ts";

const capabilities: Capabilities = {
  verbs: ["create", "split", "resync", "swap", "takeover", "remove"],
  copying: "asynchronous",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: true,
};

const commandOf: Readonly<Record<PairVerb, CommandName>> = {
  create: "create",
  split: "split",
  resync: "resync",
  swap: "swap",
  takeover: "takeover",
  remove: "delete",
};

export function embeddedProvider(context: ProviderContext): PairProvider {
  const control = textOf(context.own, "control") ?? "";
  const ask = async (name: CommandName, deadlineMs: number, force = false) => {
    const answer = await askCopy(control, { name, ms: 0, force }, deadlineMs);
    if (!answer.ok) return fault(classOf(answer.code), answer.message);
    const view = parseView(answer.value);
    return view
      ? ({ ok: true, view } as const)
      : fault("unparseable", `${control}: not the answer of a remote copy`);
  };
  return {
    capabilities,
    async identify(deadlineMs) {
      const asked = await ask("query", deadlineMs);
      if (!asked.ok) return asked;
      const { pvol, svol } = asked.view;
      const [own, peer] = context.end === "writer" ? [pvol, svol] : [svol, pvol];
      return { ok: true, identity: { own, peer } };
    },
    async query(scope, deadlineMs): Promise<PairAnswer> {
      const observedMs = context.nowMs();
      const asked = await ask("query", deadlineMs);
      if (!asked.ok) return asked;
      const [local, remote] = viewsOf(asked.view, context.end);
      return {
        ok: true,
        observedMs,
        local,
        remote: scope === "both" ? remote : null,
        remoteFault: null,
      };
    },
    commands: (change) => {
      const force = isForced(change) ? " --force" : "";
      return [`mirrorbeat remotecopy --control ${control} ${commandOf[change.verb]}${force}`];
    },
    async perform(change, deadlineMs) {
      const name = commandOf[change.verb];
      const asked = await ask(name, deadlineMs, isForced(change));
      if (asked.ok) return { kind: "ended", detail: `${name}: done` };
      const cut = asked.class === "timeout" || asked.class === "daemon-down";
      return { kind: cut ? "cut-short" : "ended", detail: asked.message };
    },
  };
}

/** Only a swap after a takeover wants it. */
const isForced = ({ verb, force }: Change): boolean => verb === "swap" && force;

function viewsOf(copy: CopyView, end: ProviderContext["end"]): readonly [PairView, PairView] {
  const isForward = copy.direction === "pvol-to-svol";
  const [source, target] = [sourceView(copy), targetView(copy)];
  return (end === "writer") === isForward ? [source, target] : [target, source];
}

function targetView(copy: CopyView): PairView {
  const { state, direction, percent, lastCopyAgoMs, cause } = copy;
  return {
    state,
    role: state === "simplex" ? "none" : "secondary",
    readable: true,
    writable: state === "takeover" || state === "simplex",
    inSync: state === "paired" ? copy.pending === 0 : false,
    percent,
    lastCopyAgoMs,
    native: direction === "pvol-to-svol" ? state : `${state}, ${direction}`,
    cause,
  };
}

/** The source of what was taken over knows only that nothing is copied any more. */
function sourceView(copy: CopyView): PairView {
  const view = targetView(copy);
  const role: PairRole = copy.state === "simplex" ? "none" : "primary";
  if (copy.state !== "takeover") return { ...view, role, writable: true };
  const cause = "the other end was taken over";
  return { ...view, role, writable: true, state: "suspended-by-error", cause };
}

function classOf(code: Extract<Answer, { ok: false }>["code"]): FaultClass {
  switch (code) {
    case "unreachable":
    case "closed":
      return "daemon-down";
    case "timeout":
      return "timeout";
    case "denied":
      return "auth";
    case "path":
      return "config";
    case "malformed":
      return "unparseable";
    case "wrong-state":
      return "wrong-state";
    default:
      return "array-rejected";
  }
}

export function askCopy(control: string, command: Command, deadlineMs: number): Promise<Answer> {
  const { name, ms, force } = command;
  if (takesMs(name)) return request(control, { command: name, ms }, deadlineMs);
  const wish = force ? { command: name, force } : { command: name };
  return request(control, wish, deadlineMs);
}
