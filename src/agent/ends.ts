/**
 * The ends of mirrors that stand at this site: PVOLs that it writes, SVOLs that it reads. What they
 * take from the configuration is asked for each time, for it may change while the agent runs.
 */
import { type Config, type MirrorConfig, ownSite, siteNamed } from "../core/base/config.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import { MirrorOut } from "./mirror-out.ts";
import type { Writer } from "./seal.ts";
import { slotsOf } from "./slot-survey.ts";
import { openerFor, type OwnVolume, type PeerVolume, type Ready } from "./gather.ts";
import { Reader } from "./svol.ts";

export type EndsContext = {
  readonly config: () => Config;
  readonly ready: Ready;
  readonly writer: Writer;
  readonly nowMs: () => number;
  /** Whether a record in our own slot can be one of ours. */
  readonly mayStand: (record: HeartbeatRecord) => boolean;
  /** Whether the core would look at the echo that comes with this record. */
  readonly isNews: (record: HeartbeatRecord) => boolean;
  readonly isInstalled: (mirror: string) => boolean;
  readonly tellDevice: (mirror: string, device: string, fault: string | null) => void;
  readonly onSibling: (record: HeartbeatRecord) => void;
  readonly onLook: (mirror: string, afterSerial: bigint) => void;
  readonly onSlotLost: (detail: string) => void;
};

const readDeadlineMsMin = 2000;

function writerOf(context: EndsContext, own: OwnVolume): MirrorOut {
  const { config, ready, writer, nowMs, mayStand, onSibling, onSlotLost } = context;
  const { name, pvol } = own.mirror;
  return new MirrorOut({
    io: ready.io,
    own,
    writer,
    keys: ready.keys,
    get writeLimitMs() {
      return config().timing.writeLimitMs;
    },
    get slots() {
      return slotsOf(ownSite(config()).hosts);
    },
    mayStand,
    inUse: () => context.isInstalled(name),
    nowMs,
    onFault: (fault) => context.tellDevice(name, pvol, fault),
    onSibling,
    onLook: (afterSerial) => context.onLook(name, afterSerial),
    onOwnRecord: onSibling,
    onSlotLost,
  });
}

function readerOf(context: EndsContext, peer: PeerVolume): Reader {
  const { config, ready, writer, nowMs, isNews } = context;
  const { name, svol, writer: from } = peer.mirror;
  return new Reader({
    io: ready.io,
    open: peer.open,
    first: peer.volume,
    get slots() {
      return slotsOf(siteNamed(config(), from)?.hosts ?? []);
    },
    siteId: siteNamed(config(), from)?.id ?? 0,
    echoSlot: writer.slot,
    writes: false,
    isNews,
    keys: ready.keys,
    nowMs,
    get readDeadlineMs() {
      return Math.max(readDeadlineMsMin, 4 * config().timing.readLimitMs);
    },
    get hungAfterMs() {
      const { readLimitMs, pollMs } = config().timing;
      return Math.max(readLimitMs, pollMs);
    },
    onFault: (fault) => context.tellDevice(name, svol, fault),
  });
}

export type Ends = {
  readonly writers: Readonly<Record<string, MirrorOut>>;
  readonly readers: Readonly<Record<string, Reader>>;
};

export function openedEnds(context: EndsContext): Ends {
  const { written, read } = context.ready;
  return {
    writers: Object.fromEntries(
      written.map((own) => [own.mirror.name, writerOf(context, own)] as const),
    ),
    readers: Object.fromEntries(
      read.map((peer) => [peer.mirror.name, readerOf(context, peer)] as const),
    ),
  };
}

/** After a change of the configuration: ends of mirrors that are new or others, none that are gone. */
export function changedEnds(
  context: EndsContext,
  { writers, readers }: Ends,
  before: Config,
): Ends {
  const config = context.config();
  const { site } = config.self;
  const text = (of: Config, name: string): string =>
    JSON.stringify(of.mirrors.find((mirror) => mirror.name === name) ?? null);
  const stays = (name: string): boolean => text(before, name) === text(config, name);
  const kept = <T>(ends: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(ends).filter(([name]) => stays(name)));
  for (const [name, end] of [...Object.entries(writers), ...Object.entries(readers)]) {
    if (!stays(name)) end.close();
  }
  const next = { writers: kept(writers), readers: kept(readers) };
  const { io, keys } = context.ready;
  const open = (mirror: MirrorConfig) => openerFor(io, config, keys, mirror);
  for (const mirror of config.mirrors) {
    const { name } = mirror;
    const common = { mirror, open: open(mirror), volume: null };
    if (mirror.writer === site && !next.writers[name]) {
      next.writers[name] = writerOf(context, { ...common, newestCopy: 1 });
    } else if (mirror.reader === site && !next.readers[name]) {
      next.readers[name] = readerOf(context, common);
    }
  }
  return next;
}
