/**
 * Loop devices for tests: attached with direct I/O, detached however the test ends. A watcher in a
 * process of its own undoes what a killed test leaves behind: devices, mounts and the folder.
 */
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runTool } from "./agent-process.ts";

const watcher = `
folder=$1 parent=$2
while [ -e "$folder/keep" ] && kill -0 "$parent" 2>/dev/null; do sleep 1; done
[ -e "$folder/keep" ] || exit 0
while read -r _ point _; do
  case $point in "$folder"/*) umount -l "$point" ;; esac
done </proc/mounts
for entry in /sys/block/loop*/loop/backing_file; do
  read -r file 2>/dev/null <"$entry" || continue
  case $file in "$folder"/*) losetup -d "/dev/$(echo "$entry" | cut -d/ -f4)" ;; esac
done
rm -rf "$folder"
`;

export type Loops = {
  attach(file: string, sectorBytes: 512 | 4096, readOnly?: boolean): Promise<string>;
  detach(): Promise<void>;
};

/** For backing files in `folder`, which the watcher removes if the test cannot. */
export function openLoops(folder: string): Loops {
  const devices: string[] = [];
  const keep = path.join(folder, "keep");
  writeFileSync(keep, "");
  spawn("sh", ["-c", watcher, "sh", folder, String(process.pid)], {
    detached: true,
    stdio: "ignore",
  }).unref();
  return {
    async attach(file, sectorBytes, readOnly = false) {
      const args = ["-f", "--show", "-b", String(sectorBytes), "--direct-io=on"];
      const { code, out, err } = await runTool("losetup", [
        ...args,
        ...(readOnly ? ["--read-only"] : []),
        file,
      ]);
      if (code !== 0) throw new Error(`losetup: ${err.trim()}`);
      devices.push(out.trim());
      return out.trim();
    },
    async detach() {
      for (const device of devices.splice(0)) await runTool("losetup", ["-d", device]);
      rmSync(keep, { force: true });
    },
  };
}
