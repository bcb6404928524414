/**
 * The provider for Dell SRDF, by the Solutions Enabler of this host: asks about one device group by
 * `symrdf query` in XML, and lets `symrdf verify` confirm what would be called paired.
 *
 * - The exit code of verify only ever takes `paired` away: query and verify that contradict each
 *   other are the state `unknown`.
 * - An R2 that hosts see write disabled (WD) while it is synchronized can be read; one that was
 *   made not ready (NR) cannot, which the query does not tell.
 * - `Partitioned` is `unknown`: this array cannot say what became of the other end.
 * - `Suspended` is `suspended-by-operator`, although an array that lost its link for long comes to
 *   the same word: what is certain is that nothing is copied.
 * - split is `suspend`, after which the R2 stays read-only; resync is `resume`, or `establish` after
 *   a Split; takeover is `failover`, at the R2. Left out: create and remove, which need the array's
 *   own tools and a file of device numbers; swap, which SRDF makes of a failover, a swap and an
 *   establish, and only of devices that are configured for it.
 * - The identity is the array's id and the device numbers of the group: from `symdg` and `syminq`.
 */
import path from "node:path";
import { type ProgramEnd, runProgram } from "../host/program.ts";
import { type ProviderContext, textOf } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type FaultClass,
  type IdentityAnswer,
  type PairAnswer,
  type PairFault,
  type PairProvider,
  type PairView,
  type Performed,
} from "./provider.ts";
import { meaningOf } from "./srdf/meaning.ts";
import { type GroupQuery, parseDevices, parseInquiry, parseQuery } from "./srdf/parse.ts";

const capabilities: Capabilities = {
  verbs: ["split", "resync", "takeover"],
  copying: "either",
  secondaryRead: "device",
  remoteQuery: false,
  atomicSwap: false,
};

type Ran = { readonly ok: true; readonly stdout: string } | PairFault;

const keepBytesMax = 1024 * 1024;
/** Between tries for the array's lock, and how many: four times, 15 s apart. */
const retries = ["-i", "15", "-c", "4"];

const run = (command: readonly string[], limitMs: number): Promise<ProgramEnd> =>
  runProgram(command, { limitMs, keepBytesMax, env: { LC_ALL: "C" } });

const oneLine = (text: string): string =>
  text
    .trim()
    .replaceAll(/[^\x21-\x7e]+/g, " ")
    .slice(0, 200);

/** Its exit codes are not relied on: what it says in words classes a question that failed. */
function classOf(said: string): FaultClass {
  if (/not authorized|permission|privilege/i.test(said)) return "auth";
  if (/(group|gatekeeper).*(not found|does not exist)|could not be found/i.test(said)) {
    return "config";
  }
  if (/daemon|server|cannot connect|connection/i.test(said)) return "daemon-down";
  return "array-rejected";
}

function outputOf(name: string, end: ProgramEnd, limitMs: number): Ran {
  switch (end.kind) {
    case "not-started":
      return fault("daemon-down", end.reason);
    case "killed":
      return fault("daemon-down", `${name} was killed by ${end.signal}`);
    case "overdue":
      return fault("timeout", `${name}: no answer within ${limitMs} ms`);
    case "exited":
      break;
  }
  if (end.code !== 0) {
    // It tells of an error on either stream.
    const said = oneLine(end.stderr) || oneLine(end.stdout);
    return fault(classOf(said), `${name}, exit code ${end.code}: ${said || "no reason given"}`);
  }
  if (end.truncated) return fault("unparseable", `${name}: an endless answer`);
  return { ok: true, stdout: end.stdout };
}

class Srdf {
  readonly settingsFault: PairFault | null;
  private readonly group: string;
  private readonly rdfg: string;
  private readonly folder: string;

  constructor({ own }: ProviderContext) {
    this.group = textOf(own, "group") ?? "";
    this.rdfg = String(Number(own["rdfg"]));
    this.folder = textOf(own, "folder") ?? "";
    const sound = /^\w[\w.-]{0,63}$/.test(this.group);
    this.settingsFault = sound
      ? null
      : fault("config", `group = "${this.group}" is not the name of a device group`);
  }

  private tool(name: string, ...words: readonly string[]): readonly string[] {
    return [path.join(this.folder, name), ...words];
  }

  symrdf(...words: readonly string[]): readonly string[] {
    return this.tool("symrdf", "-g", this.group, "-rdfg", this.rdfg, ...words);
  }

  async identify(deadlineMs: number): Promise<IdentityAnswer> {
    if (this.settingsFault) return this.settingsFault;
    const xml = ["-output", "xml_e"];
    const [listed, inquired] = await Promise.all([
      run(this.tool("symdg", "-g", this.group, "list", "ld", ...xml), deadlineMs),
      run(this.tool("syminq", "-identifier", "device_name", ...xml), deadlineMs),
    ]);
    const listing = outputOf("symdg list ld", listed, deadlineMs);
    if (!listing.ok) return listing;
    const inquiry = outputOf("syminq", inquired, deadlineMs);
    if (!inquiry.ok) return inquiry;
    const devices = parseDevices(listing.stdout);
    const seen = parseInquiry(inquiry.stdout);
    if (!devices || !seen) {
      const which = devices ? "syminq" : "symdg list ld";
      return fault("unparseable", `${which}: not what Solutions Enabler is known to say`);
    }
    // Device numbers are of one array: a host may see the same number of another.
    const symids = new Set<string>();
    for (const device of devices) {
      const arrays = new Set(seen.filter((one) => one.device === device).map((one) => one.symid));
      if (arrays.size !== 1) {
        const why = arrays.size === 0 ? "is not seen by this host" : "is of several arrays here";
        return fault("identity", `device ${device} of group ${this.group} ${why}`);
      }
      for (const symid of arrays) symids.add(symid);
    }
    if (symids.size !== 1) {
      return fault("identity", `the devices of group ${this.group} are of several arrays`);
    }
    return { ok: true, identity: { own: `${[...symids][0]}/${devices.join("+")}`, peer: null } };
  }

  async view(deadlineMs: number): Promise<{ ok: true; view: PairView } | PairFault> {
    if (this.settingsFault) return this.settingsFault;
    const beganMs = performance.now();
    const ran = outputOf(
      "symrdf query",
      await run(this.symrdf("query", "-output", "xml_e"), deadlineMs),
      deadlineMs,
    );
    if (!ran.ok) return ran;
    const query = parseQuery(ran.stdout);
    if (!query)
      return fault("unparseable", "symrdf query: not what Solutions Enabler is known to say");
    if (query.name !== this.group) {
      return fault(
        "identity",
        `asked for group ${this.group}, answered for ${oneLine(query.name)}`,
      );
    }
    const view = meaningOf(query);
    if ("ok" in view) return view;
    if (view.state !== "paired") return { ok: true, view };
    return this.confirm(view, query, deadlineMs - (performance.now() - beganMs));
  }

  /** Paired by the query's words: is it so by verify's? */
  private async confirm(
    view: PairView,
    query: GroupQuery,
    limitMs: number,
  ): Promise<{ ok: true; view: PairView } | PairFault> {
    const synchronous = query.pairs[0]?.mode === "Synchronous";
    const wanted = synchronous ? "-synchronized" : "-consistent";
    const end = await run(this.symrdf("verify", wanted), limitMs);
    if (end.kind === "overdue" || end.kind === "not-started" || end.kind === "killed") {
      const failed = outputOf("symrdf verify", end, Math.round(limitMs));
      if (!failed.ok) return failed;
    }
    if (end.kind === "exited" && end.code === 0) return { ok: true, view };
    const cause = "query says it is paired, verify does not";
    const doubt = { state: "unknown", cause, inSync: null, percent: null } as const;
    return { ok: true, view: { ...view, ...doubt } };
  }

  changeCommand({ verb, before }: Change): readonly string[] | PairFault {
    if (this.settingsFault) return this.settingsFault;
    const { role, native } = before.local;
    const action = (name: string) => this.symrdf("-noprompt", name, ...retries);
    switch (verb) {
      case "split":
        return action("suspend");
      case "resync":
        return action(native.endsWith(", Split") ? "establish" : "resume");
      case "takeover":
        return role === "secondary"
          ? action("failover")
          : fault("wrong-state", `a failover is made at the R2; this end is ${role}`);
      default:
        return fault("unsupported", `no ${verb} through this provider`);
    }
  }
}

const isFault = (command: readonly string[] | PairFault): command is PairFault =>
  !Array.isArray(command);

export function srdfProvider(context: ProviderContext): PairProvider {
  const srdf = new Srdf(context);
  return {
    capabilities,
    identify: (deadlineMs) => srdf.identify(deadlineMs),
    async query(scope, deadlineMs): Promise<PairAnswer> {
      const observedMs = context.nowMs();
      const asked = await srdf.view(deadlineMs);
      if (!asked.ok) return asked;
      const remoteFault =
        scope === "both" ? fault("unsupported", "the other end is asked at its own site") : null;
      return { ok: true, observedMs, local: asked.view, remote: null, remoteFault };
    },
    commands(change) {
      const command = srdf.changeCommand(change);
      return isFault(command) ? [] : [command.join(" ")];
    },
    async perform(change, deadlineMs): Promise<Performed> {
      const command = srdf.changeCommand(change);
      if (isFault(command)) return { kind: "not-begun", fault: command };
      const end = await run(command, deadlineMs);
      const shown = command.join(" ");
      switch (end.kind) {
        case "not-started":
          return { kind: "not-begun", fault: fault("daemon-down", end.reason) };
        case "exited": {
          const said = oneLine(end.stderr) || oneLine(end.stdout);
          return { kind: "ended", detail: `${shown}: exit code ${end.code} ${said}`.trimEnd() };
        }
        case "killed":
          return { kind: "cut-short", detail: `${shown}: killed by ${end.signal}` };
        case "overdue":
          return { kind: "cut-short", detail: `${shown}: no end within ${deadlineMs} ms` };
      }
    },
  };
}
