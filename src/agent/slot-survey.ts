/** What stands on a volume before this agent writes to it: who beats there, and in which slot. */
import { type Config, type HostConfig, ownHost, ownSite } from "../core/base/config.ts";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { comparePositions } from "../core/record.ts";
import { type HeartbeatRecord, states } from "../core/sector/layout.ts";
import type { Copy } from "../core/sector/volume.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import { emptyMemory, type Memory } from "./memory.ts";
import type { Keyring } from "./seal.ts";
import { recordAreaPoller, slotOpener } from "./slots.ts";

const readDeadlineMs = 2000;

/** Slots up to the highest one that a host of a site has. */
export const slotsOf = (hosts: readonly HostConfig[]): number =>
  Math.max(...hosts.map((host) => host.slot)) + 1;

export type SurveyTools = {
  readonly io: BlockIo;
  readonly keys: Keyring;
  readonly pause: (ms: number) => Promise<void>;
};

type Survey = {
  /** Why nothing could be read; null where it was read. */
  readonly fault: string | null;
  /** Newest record of each slot of the volume's writing site. */
  readonly records: readonly HeartbeatRecord[];
  /** Highest incarnation of ours that the peers echo. */
  readonly echoed: bigint;
  readonly newestCopy: Copy;
};

/** One reading of a volume's record area; nothing where it cannot be read in time. */
export async function survey(
  io: BlockIo,
  volume: Volume,
  siteId: number,
  slots: number,
  keys: Keyring,
  slot: number,
  own: boolean,
): Promise<Survey> {
  const unread = (reason: string): Survey => {
    const fault = `${volume.device.path}: its records cannot be read (${reason})`;
    return { fault, records: [], echoed: 0n, newestCopy: 1 };
  };
  const poller = recordAreaPoller(io, volume, Math.min(slots, volume.plan.slots));
  const reading = await poller?.poll(readDeadlineMs);
  if (!reading) return unread("no memory left");
  if (reading.kind === "failed") return unread(reading.code);
  if (reading.kind !== "read") return unread(`no answer within ${readDeadlineMs} ms`);
  const { seen, superblock } = slotOpener(volume, siteId, keys, own ? null : slot)(reading);
  if (superblock !== "same") return unread("its superblock changed meanwhile");
  const records = seen.flatMap(({ reading: found }) =>
    found.kind === "record" ? [found.record] : [],
  );
  const echoed = seen
    .flatMap(({ echoes }) => echoes)
    .map((sector) => sector.echoes[slot - sector.firstPeer]?.incarnation ?? 0n)
    .reduce((most, incarnation) => (incarnation > most ? incarnation : most), 0n);
  const mine = records.find((record) => record.slot === slot);
  const newestCopy = own && mine ? (mine.copy === 0 ? 0 : 1) : 1;
  return { fault: null, records, echoed, newestCopy };
}

/**
 * A slot that someone else beats in; null where it is ours to take. Only the record that our own
 * last run wrote is not watched for a while, whatever incarnation another host claims to have.
 */
export async function slotInUse(
  { io, keys, pause }: SurveyTools,
  volume: Volume,
  siteId: number,
  slots: number,
  self: HostConfig,
  known: HeartbeatRecord,
  memory: Memory,
): Promise<Refusal | null> {
  const { slot } = self;
  const ended = known.state === states.leaving;
  const lastRun = known.hostName === self.name && known.incarnation === memory.incarnation;
  if (ended || lastRun) return null;
  const waitMs = Math.min(10_000, 2 * known.intervalMs + 500);
  await pause(waitMs);
  const again = await survey(io, volume, siteId, slots, keys, slot, true);
  const now = again.records.find((record) => record.slot === slot);
  if (!now || comparePositions(now, known) <= 0) return null;
  const message =
    `${volume.device.path}: slot ${slot} is in live use by host '${now.hostName}' ` +
    `(serial ${now.serial}, advancing); give this host a slot of its own`;
  return { code: exitCodes.noPermission, message };
}

/** For a PVOL that was not in use at the start of this agent: does another host beat in our slot? */
export async function ownSlotInUse(
  config: Config,
  tools: SurveyTools,
  volume: Volume,
  /** Of this very run: its own records are no other's. */
  incarnation: bigint,
): Promise<Refusal | null> {
  const self = ownHost(config);
  const site = ownSite(config);
  const slots = slotsOf(site.hosts);
  const { io, keys } = tools;
  const found = await survey(io, volume, site.id, slots, keys, self.slot, true);
  if (found.fault !== null) return { code: exitCodes.tryLater, message: found.fault };
  const last = found.records.find((record) => record.slot === self.slot);
  if (!last) return null;
  const thisRun = { ...emptyMemory, incarnation };
  return slotInUse(tools, volume, site.id, slots, self, last, thisRun);
}
