/**
 * What the heartbeat volumes say of the term while no agent runs here. A stale copy looks like a
 * good one: so they can prove that the gate is closed, and never that it is open. Only reads.
 */
import { type Config, siteNamed } from "../core/base/config.ts";
import { ownerOf } from "../core/decision.ts";
import { openBlockIo, type BlockIo } from "../device/block.ts";
import { loadKeys } from "../host/key-file.ts";
import { keyring, type Keyring } from "../agent/seal.ts";
import { slotsOf, survey } from "../agent/slot-survey.ts";
import { openVolume } from "../volume/open.ts";

export type ForeignTerm = {
  readonly term: bigint;
  /** The site that owns it; its number where the configuration has no such site. */
  readonly owner: string;
  /** Where it stands. */
  readonly volume: string;
  readonly writer: string;
};

type Found = { readonly term: bigint; readonly volume: string; readonly writer: string };

const openLimitMs = 2000;

async function termsOn(
  io: BlockIo,
  keys: Keyring,
  config: Config,
  mirror: Config["mirrors"][number],
): Promise<readonly Found[]> {
  const isWriter = mirror.writer === config.self.site;
  const writer = siteNamed(config, mirror.writer);
  if (!writer || (!isWriter && mirror.reader !== config.self.site)) return [];
  const path = isWriter ? mirror.pvol : mirror.svol;
  const opened = await openVolume(io, {
    path,
    access: "read",
    cluster: config.cluster,
    writerSite: mirror.writer,
    readerSite: mirror.reader,
    wwid: isWriter ? mirror.pvolWwid : mirror.svolWwid,
    dataDevices: config.dataDevices,
    mac: keys.mac,
    keyIds: keys.ids(),
    deadlineMs: openLimitMs,
  });
  if (!opened.ok) return [];
  const slots = slotsOf(writer.hosts);
  const { records } = await survey(io, opened.volume, writer.id, slots, keys, 0, true);
  return records.map(({ term, hostName }) => ({ term, volume: path, writer: hostName }));
}

/** The highest term that is believed, where another site owns it; null for none, or for doubt. */
export async function foreignTerm(config: Config): Promise<ForeignTerm | null> {
  const loaded = loadKeys(config.keyFile);
  if (!loaded.ok) return null;
  const opened = openBlockIo({ engine: "aio" });
  if (!opened.ok) return null;
  const { io } = opened;
  const keys = keyring(loaded.keys, io);
  const found = await Promise.all(config.mirrors.map((one) => termsOn(io, keys, config, one)));
  io.close();
  const highest = found
    .flat()
    .reduce<Found | null>((most, one) => (!most || one.term > most.term ? one : most), null);
  if (!highest) return null;
  const id = ownerOf(highest.term);
  const site = config.sites.find((one) => one.id === id);
  if (site?.name === config.self.site) return null;
  return { ...highest, owner: site?.name ?? `number ${id}` };
}
