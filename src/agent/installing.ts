/** The devices of mirrors that are not installed: opened when they are to be, looked at meanwhile. */
import type { Config } from "../core/base/config.ts";
import type { CoreEvent } from "../core/base/event.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import type { Volume } from "../volume/open.ts";
import type { MirrorOut } from "./mirror-out.ts";
import { ownSlotInUse } from "./slot-survey.ts";
import { capacityFault, type Ready } from "./gather.ts";
import type { Reader } from "./svol.ts";

type End = { readonly volume: Volume | null; openNow(): Promise<string | null> };

/** Open, ours, with room for all, and our slot not in use by another: then the fault is empty. */
export async function openToInstall(
  config: Config,
  ready: Ready,
  pause: (ms: number) => Promise<void>,
  incarnation: bigint,
  mirror: string,
  end: End | undefined,
): Promise<{ readonly volumeId: string | null; readonly fault: string }> {
  const configured = config.mirrors.find(({ name }) => name === mirror);
  if (!end || !configured) return { volumeId: null, fault: "no such mirror at this site" };
  const fault = await end.openNow();
  const { volume } = end;
  const volumeId = volume?.volumeId ?? null;
  if (!volume) return { volumeId, fault: fault ?? "not open" };
  const room = capacityFault(config, configured, volume);
  if (room) return { volumeId, fault: room.message };
  const writes = configured.writer === config.self.site;
  const inUse = writes
    ? await ownSlotInUse(config, { ...ready, pause }, volume, incarnation)
    : null;
  return { volumeId, fault: inUse?.message ?? "" };
}

export function deviceEvent(mirror: string, device: string, fault: string | null): CoreEvent {
  const reason = fault === null ? {} : { reason: fault };
  const fields = { mirror, device, ok: fault === null, ...reason };
  return { level: fault === null ? "notice" : "warning", ev: "device", fields };
}

/** A mirror may be installed by its own records, where there is no network. */
export function probeUninstalled(
  readers: Readonly<Record<string, Reader>>,
  writers: Readonly<Record<string, MirrorOut>>,
  isOut: (mirror: string) => boolean,
  onRecords: (mirror: string, records: readonly HeartbeatRecord[]) => void,
): void {
  for (const [mirror, out] of Object.entries(writers)) {
    if (isOut(mirror)) void out.watchSiblings();
  }
  for (const [mirror, reader] of Object.entries(readers)) {
    if (!isOut(mirror)) continue;
    void reader.poll().then((poll) => {
      const records = (poll?.seen ?? []).flatMap(({ reading }) =>
        reading.kind === "record" ? [reading.record] : [],
      );
      if (records.length > 0) onRecords(mirror, records);
    });
  }
}
