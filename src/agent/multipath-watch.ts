/**
 * Whether a heartbeat volume lies on a multipath map that hangs instead of failing: told when it is
 * found, and when it ends. Looked at now and then, for a map may be made, or be told to queue, while
 * the agent runs. Nothing waits for it, and nothing follows from it but words.
 */
import type { CoreEvent } from "../core/base/event.ts";
import { findMultipath, queueingNote, queueingWarning } from "../volume/multipath.ts";

export type WatchedDevice = {
  readonly mirror: string;
  /** As the configuration names it. */
  readonly device: string;
  /** null while it is not open, and for a plain file. */
  readonly deviceNumber: string | null;
};

type Told = { readonly warning: string; readonly note: string };

export type MultipathWatch = {
  /** Ends with its look; at once where one is under way. */
  look(): Promise<void>;
  /** One line for the status; null where there is nothing to say. */
  noteOf(mirror: string): string | null;
};

export function multipathWatch(
  devices: () => readonly WatchedDevice[],
  tell: (event: CoreEvent) => void,
  find: typeof findMultipath = findMultipath,
): MultipathWatch {
  const told = new Map<string, Told>();
  let looking = false;

  const lookAt = async ({ mirror, device, deviceNumber }: WatchedDevice): Promise<void> => {
    // What was said of it holds until it can be looked at again.
    if (deviceNumber === null) return;
    const found = await find(deviceNumber);
    const warning = found.flatMap((each) => queueingWarning(each) ?? []).join("; ");
    const note = found.flatMap((each) => queueingNote(each) ?? []).join("; ");
    const before = told.get(mirror);
    if ((before?.warning ?? "") === warning) return;
    if (warning === "") {
      told.delete(mirror);
      const reason = "no multipath map under it queues I/O without a path any more";
      tell({ level: "notice", ev: "device", fields: { mirror, device, reason } });
      return;
    }
    told.set(mirror, { warning, note });
    const level = found.some(({ queueing }) => queueing === "on") ? "warning" : "notice";
    tell({ level, ev: "device", fields: { mirror, device, reason: warning } });
  };

  return {
    async look() {
      if (looking) return;
      looking = true;
      // One after the other: a mapper that hangs is asked by one program at a time.
      for (const device of devices()) await lookAt(device);
      looking = false;
    },
    noteOf: (mirror) => told.get(mirror)?.note ?? null,
  };
}
