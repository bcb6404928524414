/** The devices of mirrors that are not installed: opened when they are to be, looked at meanwhile. */
import type { Config } from "../core/base/config.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import type { Volume } from "../volume/open.ts";
import type { MirrorOut } from "./mirror-out.ts";
import { capacityFault } from "./startup.ts";
import type { Reader } from "./svol.ts";

type End = { readonly volume: Volume | null; openNow(): Promise<string | null> };

/** Open, ours, and with room for all: then the fault is empty. */
export async function openToInstall(
  config: Config,
  mirror: string,
  end: End | undefined,
): Promise<{ readonly volumeId: string | null; readonly fault: string }> {
  const configured = config.mirrors.find(({ name }) => name === mirror);
  if (!end || !configured) return { volumeId: null, fault: "no such mirror at this site" };
  const fault = await end.openNow();
  const { volume } = end;
  const room = volume ? capacityFault(config, configured, volume) : null;
  return { volumeId: volume?.volumeId ?? null, fault: fault ?? room?.message ?? "" };
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
