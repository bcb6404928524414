/**
 * The provider for qemu-storage-daemon (QEMU 7.2) as an array: one daemon a site, driven
 * by QMP. It needs nothing but the daemon's standard parts, and these are what it is made of:
 *
 *   at the primary     job JOB: blockdev-mirror to the other array by NBD. Once ended it stays as
 *                      it is, never dismissed: without an error the pair was split by command,
 *                      with one by a fault. Export JOB-pulse: nothing, for the secondary to read.
 *   at the secondary   export `export`: the replica, which only the primary's mirror writes to.
 *                      Node JOB-guard below `front`: hosts' writes fail with EPERM. Job JOB-link:
 *                      reads the pulse for ever, and ends with an error once link or primary is
 *                      gone. Objects JOB.secondary, .equal, .split, .takeover: what is remembered.
 *
 * All of it lives in the daemons, so that any process on any host of the site sees the same. A
 * daemon that starts anew has forgotten it: its end is simplex, and the other one suspended.
 *
 * The replica is not a standing export. `create` and `resync` open it, and start JOB-link, through
 * the other array's `monitor`; a takeover closes it. Without `monitor` nothing reaches the other
 * array: create at the reader first, which opens its replica, then at the writer; the reader then
 * says `copying` for as long as it lives, because nobody tells it more. The same is said where a
 * change was cut short before the end of its copying: split, then resync.
 *
 * `create` copies from writer to reader, asked for at whichever end. After a takeover the only way
 * back is to remove both ends and to create the pair again.
 *
 * A failure of the mirror that leaves link and pulse alone (its volume is full, say) shows at the
 * primary only. Every copy is a full one. A monitor has no password: it belongs on the private
 * link, or to a socket.
 */
import { type ProviderContext, textOf } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type PairAnswer,
  type PairFault,
  type PairProvider,
  type Performed,
} from "./provider.ts";
import { type Access, Carrier, lookAt } from "./qemu/carry-out.ts";
import { type Ends, planOf } from "./qemu/choose.ts";
import type { Facts, FactsRead } from "./qemu/facts.ts";
import { nameFault, namesOf } from "./qemu/names.ts";
import type { Phase, Station } from "./qemu/plan.ts";
import { addressText, parseAddress, type QmpAddress } from "./qemu/qmp.ts";
import { supposedCommands } from "./qemu/suppose.ts";
import { refuted, viewOf } from "./qemu/view.ts";

type Settings = {
  readonly own: Station;
  readonly peer: Station;
  readonly access: Access;
  readonly copying: string;
};

/** The fault goes to whoever asks: a wrong setting must not stop the rest. */
function settingsOf({ own, peer }: ProviderContext): Settings | PairFault {
  const stations: Station[] = [];
  for (const side of ["own", "peer"] as const) {
    const settings = side === "own" ? own : peer;
    const address = parseAddress(textOf(settings, "address") ?? "");
    if (address?.kind !== "host") return fault("config", "address: give it as HOST:PORT");
    const names = namesOf(settings);
    const wrong = nameFault(names);
    if (wrong) return fault("config", wrong);
    stations.push({ side, names, address });
  }
  const monitorText = textOf(peer, "monitor");
  const monitor = monitorText === null ? null : parseAddress(monitorText);
  if (monitorText !== null && monitor === null) {
    return fault("config", "monitor: give it as HOST:PORT or a path");
  }
  const qmp: QmpAddress = { kind: "path", path: textOf(own, "qmp") ?? "" };
  const [ownStation, peerStation] = stations as [Station, Station];
  return {
    own: ownStation,
    peer: peerStation,
    access: { own: qmp, peer: monitor },
    copying: textOf(own, "copying") ?? "synchronous",
  };
}

const whereOf = (address: QmpAddress | null): string => (address ? addressText(address) : "?");

/** The other array as seen from here: whatever hinders, it is out of reach. */
function remoteFaultOf(found: PairFault): PairFault {
  const isSilence = ["daemon-down", "timeout", "auth"].includes(found.class);
  return isSilence ? fault("peer-unreachable", found.message) : found;
}

class QemuProvider implements PairProvider {
  readonly capabilities: Capabilities;
  private readonly settings: Settings | PairFault;
  private readonly context: ProviderContext;

  constructor(context: ProviderContext) {
    this.context = context;
    this.settings = settingsOf(context);
    const hasPeer = textOf(context.peer, "monitor") !== null;
    this.capabilities = {
      verbs: hasPeer
        ? ["create", "split", "resync", "swap", "takeover", "remove"]
        : ["create", "split", "resync", "takeover", "remove"],
      copying: "either",
      secondaryRead: "device",
      remoteQuery: hasPeer,
      atomicSwap: false,
    };
  }

  async identify(deadlineMs: number) {
    const read = await this.look(deadlineMs);
    if (!read.ok) return read;
    const { array, file } = read.facts;
    if (array === null || file === null) {
      const remedy = "start it with --object throttle-group,id=array.NAME";
      return fault("config", `the daemon does not tell its array's name: ${remedy}`);
    }
    const own = `${array}/${file.replace(/^\/+/, "")}`;
    return { ok: true, identity: { own, peer: null } } as const;
  }

  async query(scope: "local" | "both", deadlineMs: number): Promise<PairAnswer> {
    const observedMs = this.context.nowMs();
    const { settings } = this;
    if ("ok" in settings) return settings;
    const asked = scope === "both" && settings.access.peer !== null;
    const [own, peer] = await Promise.all([
      this.look(deadlineMs),
      asked ? this.lookAtPeer(deadlineMs) : null,
    ]);
    if (!own.ok) return own;
    const mirrored = peer?.ok && peer.facts.array === own.facts.array;
    const itself = fault("config", "monitor: this leads to the array of this site, not the other");
    const remoteFault = mirrored ? itself : peer && !peer.ok ? remoteFaultOf(peer) : null;
    const local = viewOf(own.facts, settings.own.names);
    const remote = peer?.ok && !mirrored ? viewOf(peer.facts, settings.peer.names) : null;
    const absent = scope === "both" && !asked;
    const noMonitor = fault("peer-unreachable", "no monitor is configured for the other array");
    return {
      ok: true,
      observedMs,
      local: remote ? refuted(local, remote) : local,
      remote: remote ? refuted(remote, local) : null,
      remoteFault: absent ? noMonitor : remoteFault,
    };
  }

  commands(change: Change): readonly string[] {
    const { settings } = this;
    if ("ok" in settings) return [];
    const phases = supposedCommands(change, { ...this.ends(settings), own: settings.own });
    const where = (side: Station["side"]): string => whereOf(settings.access[side]);
    return phases.flatMap(({ at, commands }) =>
      commands.map((command) => `qmp ${where(at.side)} ${JSON.stringify(command)}`),
    );
  }

  async perform(change: Change, deadlineMs: number): Promise<Performed> {
    const { settings } = this;
    if ("ok" in settings) return { kind: "not-begun", fault: settings };
    const { access, own, peer } = settings;
    const carrier = new Carrier(access, { own: own.names, peer: peer.names }, deadlineMs);
    const look = async (): Promise<Ends | PairFault> => {
      const [ownRead, peerRead] = await Promise.all([
        carrier.look("own", whereOf(access.own)),
        change.verb === "takeover" ? null : carrier.look("peer", whereOf(access.peer)),
      ]);
      if (ownRead === null) return fault("config", "no QMP socket");
      if (!ownRead.ok) return ownRead;
      const mirrored = peerRead?.ok && peerRead.facts.array === ownRead.facts.array;
      if (mirrored) return fault("config", "monitor: this leads to the array of this site");
      return this.endsWith(settings, ownRead.facts, peerRead);
    };
    const first = await look();
    if ("ok" in first) return { kind: "not-begun", fault: first };
    let plan = planOf(change.verb, first);
    if ("ok" in plan) return { kind: "not-begun", fault: plan };
    let phases: readonly Phase[] = plan.phases;
    for (;;) {
      const trouble = await carrier.run(phases);
      if (trouble) return { kind: trouble.cut ? "cut-short" : "ended", detail: trouble.detail };
      if (!plan.andThen) return { kind: "ended", detail: `${change.verb}: done` };
      const next = await look();
      if ("ok" in next) return { kind: "cut-short", detail: next.message };
      plan = plan.andThen(next);
      if ("ok" in plan) return { kind: "ended", detail: plan.message };
      ({ phases } = plan);
    }
  }

  private ends({ copying, peer, access }: Settings) {
    const isWriter = this.context.end === "writer";
    return { copying, isWriter, peer, hasPeer: access.peer !== null };
  }

  private endsWith(settings: Settings, facts: Facts, peerRead: FactsRead | null): Ends {
    return {
      ...this.ends(settings),
      own: { station: settings.own, facts },
      peerKnown: peerRead?.ok ? { station: settings.peer, facts: peerRead.facts } : null,
      peerFault: peerRead && !peerRead.ok ? remoteFaultOf(peerRead) : null,
    };
  }

  private async look(deadlineMs: number): Promise<FactsRead> {
    const { settings } = this;
    if ("ok" in settings) return settings;
    const { own, access } = settings;
    if (!access.own) return fault("config", "no QMP socket");
    return lookAt(access.own, whereOf(access.own), own.names, deadlineMs);
  }

  private async lookAtPeer(deadlineMs: number): Promise<FactsRead | null> {
    const { settings } = this;
    if ("ok" in settings || !settings.access.peer) return null;
    const { peer, access } = settings;
    return lookAt(settings.access.peer, whereOf(access.peer), peer.names, deadlineMs);
  }
}

export function qemuProvider(context: ProviderContext): PairProvider {
  return new QemuProvider(context);
}
