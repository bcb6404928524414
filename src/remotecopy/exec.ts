/**
 * The provider for any array at all: a program of the operator's, run once for each call, with one
 * JSON object on its standard input and one on its standard output (docs/arrays.md).
 *
 * What the program can do is asked once; until then every change is held possible, and one that
 * there is not is refused when it comes to it.
 */
import { pairVerbs } from "../core/base/pair-settings.ts";
import { type ProgramEnd, runProgram } from "../host/program.ts";
import {
  type Body,
  protocolVersion,
  readBody,
  readCapabilities,
  readDetail,
  readIdentity,
  readQuery,
} from "./exec/answer.ts";
import { commandOf, type ProviderContext, textOf } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type PairAnswer,
  type PairFault,
  type PairProvider,
  type Performed,
  type QueryScope,
} from "./provider.ts";
import { noRemoteQuery, plainText, settleViews } from "./told-view.ts";

const supposed: Capabilities = {
  verbs: pairVerbs,
  copying: "either",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: false,
};

const keepBytesMax = 64 << 10;
/** What the program gets of the time, so that it can still say itself that time is up. */
const programsShare = 0.9;

type Call =
  | { readonly call: "capabilities" | "identify" }
  | { readonly call: "query"; readonly scope: QueryScope }
  | { readonly call: "change"; readonly verb: Change["verb"]; readonly force: boolean };

type Reply =
  | { readonly kind: "body"; readonly body: Body; readonly code: number }
  /** Ended, but what it said is no answer. */
  | { readonly kind: "nonsense"; readonly fault: PairFault }
  /** `begun`: it ran, so it may have done something. */
  | { readonly kind: "none"; readonly begun: boolean; readonly fault: PairFault };

function replyOf(end: ProgramEnd, program: string, limitMs: number): Reply {
  const none = (begun: boolean, why: PairFault): Reply => ({ kind: "none", begun, fault: why });
  const lastLine = (text: string) => plainText(text.trim().split("\n").at(-1) ?? "", 160);
  switch (end.kind) {
    case "not-started":
      return none(false, fault("daemon-down", plainText(end.reason, 200)));
    case "overdue":
      return none(
        true,
        fault("timeout", `${program}: no end within ${Math.round(limitMs)} ms; killed`),
      );
    case "killed":
      return none(true, fault("daemon-down", `${program}: died of ${end.signal}`));
    case "exited": {
      const body = end.truncated ? null : readBody(end.stdout);
      if (body) return { kind: "body", body, code: end.code };
      const said = lastLine(end.stderr);
      const how = `${program}: exit ${end.code} without an answer${said ? `: ${said}` : ""}`;
      return { kind: "nonsense", fault: fault("unparseable", how) };
    }
  }
}

/** As a person would type it. */
function shellLine(command: readonly string[], input: string): string {
  const quoted = (word: string): string =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  const line = `printf '%s\\n' ${quoted(input)} | ${command.map(quoted).join(" ")}`;
  return line.replaceAll(/[^\x20-\x7e]/g, "?");
}

export function execProvider(context: ProviderContext): PairProvider {
  const { end, own, device, peerDevice, nowMs } = context;
  const command = commandOf(own, "program");
  const program = plainText(command[0] ?? "", 120);
  const settings = textOf(own, "settings") ?? "";
  let known: Capabilities | null = null;

  const inputOf = (call: Call, limitMs: number): string => {
    const deadlineMs = Math.max(1, Math.floor(limitMs * programsShare));
    const where = { end, settings, device, peerDevice, deadlineMs };
    return JSON.stringify({ version: protocolVersion, ...call, ...where });
  };
  const run = async (call: Call, limitMs: number): Promise<Reply> => {
    const input = `${inputOf(call, limitMs)}\n`;
    return replyOf(await runProgram(command, { limitMs, keepBytesMax, input }), program, limitMs);
  };
  const named = (why: PairFault): PairFault => fault(why.class, `${program}: ${why.message}`);
  /** A question: an answer and a failing exit code contradict each other. */
  const ask = async (call: Call, limitMs: number) => {
    const reply = await run(call, limitMs);
    if (reply.kind !== "body") return reply.fault;
    const { body, code } = reply;
    if (body.kind === "fault") return named(body.fault);
    if (code === 0) return { ok: true, value: body.value } as const;
    return fault("unparseable", `${program}: exit ${code}, though it answers`);
  };
  const learn = async (limitMs: number): Promise<void> => {
    if (known) return;
    const asked = await ask({ call: "capabilities" }, limitMs);
    const told = asked.ok ? readCapabilities(asked.value) : asked;
    if (told.ok) known = told.value;
  };
  const capabilities = () => known ?? supposed;
  return {
    get capabilities() {
      return capabilities();
    },
    async identify(limitMs) {
      const endMs = performance.now() + limitMs;
      await learn(limitMs / 2);
      const asked = await ask({ call: "identify" }, endMs - performance.now());
      if (!asked.ok) return asked;
      const identity = readIdentity(asked.value);
      return identity.ok ? { ok: true, identity: identity.value } : named(identity);
    },
    async query(scope, limitMs): Promise<PairAnswer> {
      const observedMs = nowMs();
      const { copying, remoteQuery } = capabilities();
      const cannot = scope === "both" && !remoteQuery;
      const within = cannot ? "local" : scope;
      const asked = await ask({ call: "query", scope: within }, limitMs);
      if (!asked.ok) return asked;
      const told = readQuery(asked.value, within);
      if (!told.ok) return named(told);
      const { ageMs } = told.value;
      const remoteFault = cannot ? fault("unsupported", noRemoteQuery) : told.value.remoteFault;
      const views = settleViews(told.value, copying);
      return { ok: true, observedMs: observedMs - ageMs, ...views, remoteFault };
    },
    commands: ({ verb, force }) => {
      const call = { call: "change", verb, force } as const;
      return [shellLine(command, inputOf(call, Number(own["change_limit_ms"] ?? 60_000)))];
    },
    async perform({ verb, force }, limitMs): Promise<Performed> {
      if (!capabilities().verbs.includes(verb)) {
        return { kind: "not-begun", fault: fault("unsupported", `${program}: it has no ${verb}`) };
      }
      return performedOf(await run({ call: "change", verb, force }, limitMs), verb);
    },
  };
}

function performedOf(reply: Reply, verb: string): Performed {
  if (reply.kind === "nonsense") return { kind: "ended", detail: reply.fault.message };
  if (reply.kind === "none") {
    const { begun, fault: why } = reply;
    return begun ? { kind: "cut-short", detail: why.message } : { kind: "not-begun", fault: why };
  }
  const { body } = reply;
  if (body.kind === "good") {
    return { kind: "ended", detail: readDetail(body.value) || `${verb}: done` };
  }
  if (!body.begun) return { kind: "not-begun", fault: body.fault };
  const unsure = body.fault.class === "timeout";
  return { kind: unsure ? "cut-short" : "ended", detail: body.fault.message };
}
