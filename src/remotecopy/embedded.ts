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
  fault,
  type FaultClass,
  type PairAnswer,
  type PairProvider,
  type PairRole,
  type PairView,
} from "./provider.ts";

const capabilities: Capabilities = {
  verbs: ["create", "split", "resync", "remove"],
  copying: "asynchronous",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: false,
};

const commandOf: Readonly<Partial<Record<PairVerb, CommandName>>> = {
  create: "create",
  split: "split",
  resync: "resync",
  remove: "delete",
};

export function embeddedProvider(context: ProviderContext): PairProvider {
  const control = textOf(context.own, "control") ?? "";
  const ask = async (name: CommandName, deadlineMs: number) => {
    const answer = await askCopy(control, { name, ms: 0 }, deadlineMs);
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
    commands: ({ verb }) => [
      `mirrorbeat remotecopy --control ${control} ${commandOf[verb] ?? verb}`,
    ],
    async perform({ verb }, deadlineMs) {
      const name = commandOf[verb];
      if (!name) {
        return { kind: "not-begun", fault: fault("unsupported", `no ${verb} in this copy`) };
      }
      const asked = await ask(name, deadlineMs);
      if (asked.ok) return { kind: "ended", detail: `${name}: done` };
      const cut = asked.class === "timeout" || asked.class === "daemon-down";
      return { kind: cut ? "cut-short" : "ended", detail: asked.message };
    },
  };
}

function viewsOf(copy: CopyView, end: ProviderContext["end"]): readonly [PairView, PairView] {
  const { state, percent, lastCopyAgoMs, cause } = copy;
  const view = (role: PairRole): PairView => ({
    state,
    role: state === "simplex" ? "none" : role,
    readable: true,
    writable: role === "primary" || state === "simplex",
    inSync: state === "paired" ? copy.pending === 0 : false,
    percent,
    lastCopyAgoMs,
    native: state,
    cause,
  });
  const [primary, secondary] = [view("primary"), view("secondary")];
  return end === "writer" ? [primary, secondary] : [secondary, primary];
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
  const { name, ms } = command;
  return request(control, takesMs(name) ? { command: name, ms } : { command: name }, deadlineMs);
}
