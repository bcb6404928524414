/**
 * The volumes of an agent at its start: opened, and read for what was written before. From all of
 * them come the incarnation and the term that it begins with.
 */
import {
  type Config,
  type MirrorConfig,
  ownHost,
  ownSite,
  siteNamed,
} from "../core/base/config.ts";
import { type Devices, devicesOf, takesPart } from "../core/base/devices.ts";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { clusterIdOf } from "../core/sector/cluster-id.ts";
import type { Copy } from "../core/sector/volume.ts";
import type { BlockIo } from "../device/block.ts";
import { sha256 } from "../host/digest.ts";
import { openVolume, type Volume } from "../volume/open.ts";
import type { Memory } from "./memory.ts";
import type { Keyring } from "./seal.ts";
import { slotInUse, slotsOf, survey } from "./slot-survey.ts";
import type { VolumeOpener } from "./svol.ts";

export type OwnVolume = {
  readonly mirror: MirrorConfig;
  readonly open: VolumeOpener;
  readonly volume: Volume | null;
  /** Which copy of our slot is the newer one. */
  readonly newestCopy: Copy;
};
export type PeerVolume = {
  readonly mirror: MirrorConfig;
  readonly open: VolumeOpener;
  readonly volume: Volume | null;
};

export type Ready = {
  readonly io: BlockIo;
  readonly clusterId: string;
  readonly keys: Keyring;
  readonly memory: Memory;
  readonly devices: Devices;
  /** Whether just this stands in the device address file already. */
  readonly devicesFiled: boolean;
  readonly incarnation: bigint;
  readonly term: bigint | null;
  readonly written: readonly OwnVolume[];
  readonly read: readonly PeerVolume[];
  /** What could not be opened but may come back: told, and tried again. */
  readonly faults: readonly string[];
};
export type Startup =
  | { readonly ok: true; readonly ready: Ready }
  | { readonly ok: false; readonly refusal: Refusal };

/** What opening and reading volumes needs. */
export type GatherTools = {
  readonly io: BlockIo;
  readonly keys: Keyring;
  readonly pause: (ms: number) => Promise<void>;
  /** When what is new here is registered. */
  readonly wallNs: bigint;
};

const openDeadlineMs = 2000;
/** Refusals that waiting may mend: the agent starts, and tries again. */
const passing: ReadonlySet<number> = new Set([exitCodes.ioError, exitCodes.timeout]);

/**
 * What can happen to a volume that served before, and be mended while the agent runs: it is gone,
 * held by another program, or its primary superblock is damaged. All else is a wrong configuration.
 */
function isMishap({ code, message }: Refusal): boolean {
  switch (code) {
    case exitCodes.noInput:
      return /: (does not exist|has no (device|medium))/.test(message);
    case exitCodes.tryLater:
      return true;
    case exitCodes.dataError:
      return message.includes("its backup is good");
    default:
      return false;
  }
}

export function openerFor(
  io: BlockIo,
  config: Config,
  keys: Keyring,
  mirror: MirrorConfig,
): VolumeOpener {
  const writing = mirror.writer === config.self.site;
  return () =>
    openVolume(io, {
      path: writing ? mirror.pvol : mirror.svol,
      access: writing ? "write" : "read",
      cluster: config.cluster,
      writerSite: mirror.writer,
      readerSite: mirror.reader,
      wwid: writing ? mirror.pvolWwid : mirror.svolWwid,
      dataDevices: config.dataDevices,
      mac: keys.mac,
      keyIds: keys.ids(),
      deadlineMs: openDeadlineMs,
    });
}

/** Whether the volume has room for our slot, and for the echo of every peer host. */
export function capacityFault(
  config: Config,
  mirror: MirrorConfig,
  volume: Volume,
): Refusal | null {
  const writer = siteNamed(config, mirror.writer);
  const reader = siteNamed(config, mirror.reader);
  const highest = Math.max(...(writer?.hosts ?? []).map((host) => host.slot));
  const peers = slotsOf(reader?.hosts ?? []);
  const device = volume.device.path;
  if (highest >= volume.plan.slots) {
    const message = `${device}: ${volume.plan.slots} slots, but slot ${highest} is configured; format it with --slots ${highest + 1}`;
    return { code: exitCodes.config, message };
  }
  if (peers > volume.plan.echoPeers) {
    const message = `${device}: echoes for ${volume.plan.echoPeers} peers, but ${peers} are configured; format it with --echo-peers ${peers}`;
    return { code: exitCodes.config, message };
  }
  return null;
}

/** Without a remembered term every volume must tell its own: a higher one may stand on any. */
function termUnknown(fault: string): Refusal {
  const message =
    `${fault}; no term is remembered here, so the term is not known: wait until this volume ` +
    "can be read or, if this is a new cluster, format it";
  return { code: exitCodes.tryLater, message };
}

/** What this host remembers, from both of its files. */
type Known = { readonly memory: Memory; readonly devices: Devices };

const isInstalled = (mirror: MirrorConfig, { devices }: Known): boolean =>
  takesPart(devices.registrations[mirror.name]);

const isOn = (mirror: MirrorConfig, known: Known): boolean =>
  mirror.enabled &&
  known.memory.switches.mirrors[mirror.name] !== false &&
  isInstalled(mirror, known);

function networkInUse(config: Config, memory: Memory): boolean {
  const far = config.sites.filter(({ name }) => name !== config.self.site);
  const addressed = far.some(({ hosts }) => hosts.some(({ address }) => address !== null));
  const own = config.networkEnabled && memory.switches.network && ownHost(config).address !== null;
  return own && addressed;
}

type OpenedMirror = {
  readonly mirror: MirrorConfig;
  readonly result: Awaited<ReturnType<VolumeOpener>>;
};

/**
 * Why the agent cannot begin with what could not be opened; null where it can. One that ran before
 * begins without a volume that may come back, as long as another path works; a first start needs
 * all of them.
 */
function refusalOf(config: Config, known: Known, opened: readonly OpenedMirror[]): Refusal | null {
  const { memory } = known;
  const firstStart = memory.term === null;
  const pathWorks =
    networkInUse(config, memory) ||
    opened.some(({ mirror, result }) => result.ok && isOn(mirror, known));
  const faults = opened.flatMap(({ mirror, result }) =>
    result.ok || !isInstalled(mirror, known) ? [] : [{ mirror, refusal: result.refusal }],
  );
  const isMended = (refusal: Refusal): boolean =>
    passing.has(refusal.code) || (!firstStart && pathWorks && isMishap(refusal));
  const lasting = faults.find(({ refusal }) => !isMended(refusal));
  if (lasting) return lasting.refusal;
  // Without a memory, nothing is known of what was installed either: the term may stand anywhere.
  const unread = opened.find(
    ({ mirror, result }) =>
      firstStart &&
      mirror.enabled &&
      !result.ok &&
      (isOn(mirror, known) || passing.has(result.refusal.code)),
  );
  return unread && !unread.result.ok ? termUnknown(unread.result.refusal.message) : null;
}

type Gathered = {
  readonly written: OwnVolume[];
  readonly read: PeerVolume[];
  readonly faults: string[];
  incarnation: bigint;
  term: bigint | null;
};

async function gather(
  config: Config,
  { io, keys, pause }: GatherTools,
  known: Known,
): Promise<Gathered | Refusal> {
  const { memory } = known;
  const host = ownHost(config);
  const site = ownSite(config);
  const gathered: Gathered = {
    written: [],
    read: [],
    faults: [],
    incarnation: memory.incarnation,
    term: memory.term,
  };
  const mine = config.mirrors.filter((m) => m.writer === site.name || m.reader === site.name);
  const opened = await Promise.all(
    mine.map(async (mirror) => {
      const open = openerFor(io, config, keys, mirror);
      return { mirror, open, result: await open() };
    }),
  );
  const refused = refusalOf(config, known, opened);
  if (refused) return refused;
  for (const { mirror, open, result } of opened) {
    const own = mirror.writer === site.name;
    if (!result.ok) {
      if (isInstalled(mirror, known)) gathered.faults.push(result.refusal.message);
      if (own) gathered.written.push({ mirror, open, volume: null, newestCopy: 1 });
      else gathered.read.push({ mirror, open, volume: null });
      continue;
    }
    const { volume } = result;
    const fault = isInstalled(mirror, known) ? capacityFault(config, mirror, volume) : null;
    if (fault) return fault;
    const writer = siteNamed(config, mirror.writer);
    const siteId = writer?.id ?? 0;
    const slots = slotsOf(writer?.hosts ?? []);
    const found = await survey(io, volume, siteId, slots, keys, host.slot, own);
    if (found.fault !== null) {
      if (memory.term === null && mirror.enabled) return termUnknown(found.fault);
      gathered.faults.push(found.fault);
    }
    const last = own ? found.records.find((record) => record.slot === host.slot) : undefined;
    const inUse =
      last && isInstalled(mirror, known)
        ? await slotInUse({ io, keys, pause }, volume, siteId, slots, host, last, memory)
        : null;
    if (inUse) return inUse;
    for (const incarnation of [last?.incarnation ?? 0n, found.echoed]) {
      if (incarnation > gathered.incarnation) gathered.incarnation = incarnation;
    }
    for (const record of found.records) {
      if (gathered.term === null || record.term > gathered.term) gathered.term = record.term;
    }
    if (own) gathered.written.push({ mirror, open, volume, newestCopy: found.newestCopy });
    else gathered.read.push({ mirror, open, volume });
  }
  return gathered;
}

/** A file of before would not know who joined since, and who may serve. */
function olderConfiguration(config: Config, devices: Devices | null): Refusal | null {
  const used = devices?.generation ?? 0;
  if (config.generation >= used) return null;
  const message =
    `generation is ${config.generation}, but ${used} was in use here: this configuration is an ` +
    "old one; take the present file of another host";
  return { code: exitCodes.config, message };
}

/** The rest of what an agent needs, once its files are read; or in one line why it cannot begin. */
export async function readyFrom(
  config: Config,
  tools: GatherTools,
  memory: Memory,
  filed: Devices | null,
): Promise<Startup> {
  const { io, keys, wallNs } = tools;
  const older = olderConfiguration(config, filed);
  if (older) return { ok: false, refusal: older };
  const found = filed ?? devicesOf(config, wallNs);
  const devices = { ...found, generation: config.generation };
  const clusterId = clusterIdOf(config.cluster, sha256);
  const gathered = await gather(config, tools, { memory, devices });
  if ("code" in gathered) return { ok: false, refusal: gathered };
  const { written, read, faults, term } = gathered;
  const incarnation = gathered.incarnation + 1n;
  const devicesFiled = filed?.generation === config.generation;
  const files = { memory, devices, devicesFiled };
  return {
    ok: true,
    ready: { io, clusterId, keys, ...files, incarnation, term, written, read, faults },
  };
}
