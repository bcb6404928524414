/**
 * The provider for Ceph RBD mirroring by journal: asks and commands this end's own cluster through
 * `rbd`, and never waits for the other one, whose state its rbd-mirror daemon leaves here.
 *
 * - The copy is asynchronous, and told of by two rbd-mirror daemons, some tens of seconds apart:
 *   an answer is as old as the older of their words. Only the role here is known at once.
 * - Snapshot mode is minutes behind and of no use for heartbeats: its state is `unknown`, and
 *   nothing is changed.
 * - "split-brain" in either daemon's words is `suspended-by-error`, with these words as the cause.
 * - Ceph has nothing that stops a pair and remembers what differs: there is no split. Disabling
 *   removes the pair and the copy with it. A swap needs a demotion at one cluster and, once that
 *   has arrived, a promotion at the other: there is no swap either.
 * - The image of the secondary is made anew by each resync, and its id with it: what stays the same
 *   is the cluster and the name, so these are the identity.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";
import { realClock } from "../host/clock.ts";
import { commandOf, type ProviderContext, textOf } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type IdentityAnswer,
  type PairAnswer,
  type PairFault,
  type PairProvider,
  type Performed,
  type QueryScope,
} from "./provider.ts";
import { absentMeaning, type Meaning, meaningOf, simplexMeaning } from "./rbd/meaning.ts";
import { parseInfo, parseStatus } from "./rbd/parse.ts";
import { isNoSuchImage, lastLine, outputOf, runTool } from "./rbd/run.ts";

const capabilities: Capabilities = {
  verbs: ["create", "resync", "takeover", "remove"],
  copying: "asynchronous",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: false,
};

type Interpreted = { readonly ok: true; readonly meaning: Meaning } | PairFault;

/** POOL/IMAGE or POOL/NAMESPACE/IMAGE, and nothing that rbd could take for an option or a snapshot. */
const imageText = /^[\w.][\w.-]*(\/[\w.][\w.-]*){1,2}$/;

class Rbd {
  readonly end: ProviderContext["end"];
  readonly spec: string;
  readonly name: string;
  readonly settingsFault: PairFault | null;
  private readonly rbd: readonly string[];
  private readonly ceph: readonly string[];

  constructor({ own, end }: ProviderContext) {
    const cluster = textOf(own, "cluster") ?? "";
    this.end = end;
    this.spec = textOf(own, "image") ?? "";
    this.name = this.spec.split("/").at(-1) ?? "";
    this.rbd = [...commandOf(own, "rbd"), "--cluster", cluster];
    this.ceph = [...commandOf(own, "ceph"), "--cluster", cluster];
    const wrong = !imageText.test(this.spec)
      ? `image = "${this.spec}" is not POOL/IMAGE`
      : /^\w[\w.-]*$/.test(cluster)
        ? null
        : `cluster = "${cluster}" is not the name of a cluster`;
    this.settingsFault = wrong === null ? null : fault("config", wrong);
  }

  command(...words: readonly string[]): readonly string[] {
    return [...this.rbd, ...words];
  }

  async identify(deadlineMs: number): Promise<IdentityAnswer> {
    if (this.settingsFault) return this.settingsFault;
    const ran = outputOf(
      "ceph fsid",
      await runTool([...this.ceph, "fsid"], deadlineMs),
      deadlineMs,
    );
    if (!ran.ok) return ran;
    const fsid = ran.stdout.trim();
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(fsid)) {
      return fault("unparseable", "ceph fsid: not the id of a cluster");
    }
    return { ok: true, identity: { own: `${fsid}/${this.spec}`, peer: null } };
  }

  async query(deadlineMs: number): Promise<Interpreted> {
    if (this.settingsFault) return this.settingsFault;
    const wallMs = Number(realClock.wallNs() / 1_000_000n);
    const ask = (...words: readonly string[]) =>
      runTool(this.command(...words, this.spec, "--format", "json"), deadlineMs);
    const [infoEnd, statusEnd] = await Promise.all([ask("info"), ask("mirror", "image", "status")]);
    if (this.end === "reader" && isNoSuchImage(infoEnd)) {
      return { ok: true, meaning: absentMeaning() };
    }
    const infoRan = outputOf("rbd info", infoEnd, deadlineMs);
    if (!infoRan.ok) return infoRan;
    const info = parseInfo(infoRan.stdout);
    if (!info) return fault("unparseable", `rbd info ${this.spec}: not what rbd is known to say`);
    if (info.name !== this.name) return this.otherImage("info", info.name);
    if (!info.mirroring) return { ok: true, meaning: simplexMeaning() };
    const statusRan = outputOf("rbd mirror image status", statusEnd, deadlineMs);
    if (!statusRan.ok) return statusRan;
    const status = parseStatus(statusRan.stdout);
    if (!status) {
      return fault("unparseable", `status of ${this.spec}: not what rbd is known to say`);
    }
    if (status.name !== this.name) return this.otherImage("mirror image status", status.name);
    if (status.globalId !== info.mirroring.globalId) {
      return fault("identity", `${this.spec}: its info and its status are of two images`);
    }
    if (status.peers.length > 1) {
      return fault("mixed-group", `${this.spec}: several other sites report; one is supported`);
    }
    return { ok: true, meaning: meaningOf(info, status, wallMs) };
  }

  private otherImage(asked: string, answered: string): PairFault {
    return fault("identity", `rbd ${asked} ${this.spec}: it answers for ${lastLine(answered)}`);
  }

  /** The one command that a change is, or why there is none. */
  changeCommand({ verb, before, force }: Change): readonly string[] | PairFault {
    if (this.settingsFault) return this.settingsFault;
    const image = (...words: readonly string[]) => this.command("mirror", "image", ...words);
    const { role } = before.local;
    const usable: Partial<Record<PairVerb, readonly string[] | PairFault>> = {
      create:
        this.end === "writer"
          ? image("enable", this.spec, "journal")
          : fault("wrong-state", "a pair is made at the writer's end, where the image is"),
      resync:
        role === "secondary"
          ? image("resync", this.spec)
          : fault("wrong-state", "only the secondary can be made anew: resync at the other end"),
      takeover:
        role === "secondary"
          ? image("promote", this.spec, ...(before.remote?.role === "secondary" ? [] : ["--force"]))
          : fault("wrong-state", `only a secondary is promoted; the image is ${role} here`),
      remove:
        role === "primary" || force
          ? image("disable", this.spec, ...(role === "primary" ? [] : ["--force"]))
          : fault("wrong-state", "a pair is removed at the primary, or here with --force"),
    };
    return usable[verb] ?? fault("unsupported", `Ceph RBD has no ${verb}`);
  }
}

const isFault = (command: readonly string[] | PairFault): command is PairFault =>
  !Array.isArray(command);

function answerOf(
  { meaning }: { meaning: Meaning },
  scope: QueryScope,
  askedMs: number,
): PairAnswer {
  const { local, remote, ageMs } = meaning;
  const asksRemote = scope === "both";
  const missing = "the other site's rbd-mirror daemon does not report to this cluster";
  return {
    ok: true,
    observedMs: askedMs - ageMs,
    local,
    remote: asksRemote ? remote : null,
    remoteFault: asksRemote && !remote ? fault("peer-unreachable", missing) : null,
  };
}

export function rbdProvider(context: ProviderContext): PairProvider {
  const rbd = new Rbd(context);
  return {
    capabilities,
    identify: (deadlineMs) => rbd.identify(deadlineMs),
    async query(scope, deadlineMs) {
      const askedMs = context.nowMs();
      const interpreted = await rbd.query(deadlineMs);
      return interpreted.ok ? answerOf(interpreted, scope, askedMs) : interpreted;
    },
    commands(change) {
      const command = rbd.changeCommand(change);
      return isFault(command) ? [] : [command.join(" ")];
    },
    async perform(change, deadlineMs): Promise<Performed> {
      const command = rbd.changeCommand(change);
      if (isFault(command)) return { kind: "not-begun", fault: command };
      const end = await runTool(command, deadlineMs);
      const shown = command.join(" ");
      switch (end.kind) {
        case "not-started":
          return { kind: "not-begun", fault: fault("daemon-down", end.reason) };
        case "exited":
          return {
            kind: "ended",
            detail: `${shown}: exit code ${end.code} ${lastLine(end.stderr)}`,
          };
        case "killed":
          return { kind: "cut-short", detail: `${shown}: killed by ${end.signal}` };
        case "overdue":
          return { kind: "cut-short", detail: `${shown}: no end within ${deadlineMs} ms` };
      }
    },
  };
}
