/**
 * The reading end of one mirror: polls the record area of the SVOL and tells the core what each
 * poll showed. A device that is missing, hung or failing costs this path and nothing else: it is
 * opened again now and then, and a poll that cannot be done is told as a failed read.
 */
import type { Refusal } from "../core/base/exit-codes.ts";
import type { Read } from "../core/observation.ts";
import type { Rejection } from "../core/record.ts";
import type { Seen } from "../core/step/state.ts";
import type { AreaPoller, AreaReading } from "../device/poller.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import type { Keyring } from "./seal.ts";
import { recordAreaPoller, slotOpener, type SlotsReading } from "./slots.ts";

export type Poll = {
  readonly read: Read;
  readonly seen: readonly Seen[];
  readonly rejected: readonly Rejection[];
};

export type Reader = {
  /** Resolves when the read ends; while one is under way, at once with a failed read "hung". */
  poll(): Promise<Poll>;
  readonly volume: Volume | null;
  readonly fault: string | null;
  close(): void;
};

export type VolumeOpener = () => Promise<
  { readonly ok: true; readonly volume: Volume } | { readonly ok: false; readonly refusal: Refusal }
>;

export type ReaderOptions = {
  readonly io: BlockIo;
  readonly open: VolumeOpener;
  readonly first: Volume | null;
  readonly slots: number;
  readonly siteId: number;
  readonly echoSlot: number | null;
  readonly keys: Keyring;
  readonly nowMs: () => number;
  readonly readDeadlineMs: number;
  /** Told when the device cannot be used, and when it can again (null). */
  readonly onFault: (fault: string | null) => void;
};

const reopenMs = 2000;
/** Failed reads, not hung ones, after which the device is opened anew. */
const failuresToReopen = 5;

const foreignReasons: ReadonlySet<Rejection> = new Set(["foreign-volume", "foreign-cluster"]);

export const nsToMs = (ns: bigint): number => Number(ns) / 1e6;

export function volumeReader(options: ReaderOptions): Reader {
  let volume: Volume | null = null;
  let poller: AreaPoller | null = null;
  let openSlots: ((reading: Extract<AreaReading, { kind: "read" }>) => SlotsReading) | null = null;
  let opening = false;
  let reading = false;
  let failures = 0;
  let triedMs = Number.NEGATIVE_INFINITY;
  let fault: string | null = null;
  let closed = false;

  const setFault = (next: string | null): void => {
    if (fault === next) return;
    fault = next;
    options.onFault(next);
  };

  const take = (next: Volume): void => {
    const slots = Math.min(options.slots, next.plan.slots);
    volume = next;
    poller = recordAreaPoller(options.io, next, slots);
    openSlots = slotOpener(next, options.siteId, options.keys, options.echoSlot);
    failures = 0;
    setFault(poller ? null : "no memory left for its lanes");
  };

  const drop = (): void => {
    void volume?.device.close();
    volume = null;
    poller = null;
  };

  const reopen = async (): Promise<void> => {
    if (opening || closed || options.nowMs() - triedMs < reopenMs) return;
    opening = true;
    triedMs = options.nowMs();
    const result = await options.open();
    opening = false;
    if (!result.ok) return setFault(result.refusal.message);
    // The same volume, opened while the old one still serves: what its slots hold is their own fault.
    const same = volume !== null && volume.volumeId === result.volume.volumeId;
    if (closed || same) return void result.volume.device.close();
    if (volume) drop();
    take(result.volume);
  };

  const failed = (failure: string): Poll => ({
    read: { kind: "failed", endedMs: options.nowMs(), failure },
    seen: [],
    rejected: [],
  });

  const settle = (result: AreaReading): Poll => {
    switch (result.kind) {
      case "busy":
        return failed("hung");
      case "expired":
        return failed("hung");
      case "failed":
        failures += 1;
        if (failures >= failuresToReopen) drop();
        return failed(result.code);
      case "read": {
        failures = 0;
        const { seen, rejected } = openSlots ? openSlots(result) : { seen: [], rejected: [] };
        // Other content under the same name: the superblock is asked again what this volume is.
        if (rejected.some((reason) => foreignReasons.has(reason))) void reopen();
        const beganMs = nsToMs(result.beganNs);
        const endedMs = nsToMs(result.endedNs);
        return { read: { kind: "good", beganMs, endedMs }, seen, rejected };
      }
    }
  };

  if (options.first) take(options.first);

  return {
    async poll() {
      if (reading) return failed("hung");
      if (!poller) {
        void reopen();
        return failed("closed");
      }
      reading = true;
      const result = await poller.poll(options.readDeadlineMs);
      reading = false;
      return settle(result);
    },
    get volume() {
      return volume;
    },
    get fault() {
      return fault;
    },
    close() {
      closed = true;
      drop();
    },
  };
}
