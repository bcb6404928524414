/**
 * A real block device that hangs, fails, tears or lies on demand.
 *
 *   the device under test  /dev/loopN
 *        backed by         a file in a FUSE mount of qemu-storage-daemon
 *        which asks        an NBD server in this process (FaultyDisk), whose mode is set at will
 *
 * So a fault goes through the same block layer as a fault of an array. Needs root and
 * qemu-storage-daemon (Debian: qemu-system-common).
 *
 *   const reason = await faultDeviceMissing();        // null, or why it cannot run here
 *   const fault = await startFaultDevice({ logicalBytes: 4096 });
 *   fault.mode("hang");                               // from now on; counts and medium can be seen
 *   fault.mode("ok");                                 // what hung goes on
 *   await fault.stop();                               // always, in a finally
 *
 * Two devices may share one medium (`medium:`): the second, read-only, is then a perfect mirror.
 *
 * **Never make a blocking call on the device from this process** (fs.*Sync, execFileSync of a tool
 * that opens it): the server that would answer it lives in this event loop. The program's own
 * block I/O does not block, and child processes may do as they please. Nor start a child process
 * while `filePath` is open here: what the child closes before it runs is flushed, and the run-time
 * waits for that. (The device itself has nothing to flush.)
 *
 * Nothing is left behind: a detached watcher ends every hang and removes the device, the daemon and
 * the folder when this process is gone, however it went, or when `limitSeconds` have passed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { FaultyDisk, type FaultMode, type RequestCounts } from "./nbd-server.ts";

export type { FaultMode } from "./nbd-server.ts";

export type FaultDeviceOptions = {
  readonly sizeBytes?: number;
  readonly logicalBytes?: 512 | 4096;
  readonly readOnly?: boolean;
  /** Another device's medium, or prepared bytes; whole blocks of 4096. */
  readonly medium?: Buffer;
  readonly limitSeconds?: number;
};

export type FaultDevice = {
  /** /dev/loopN */
  readonly path: string;
  /** The file behind it, on FUSE: opening it hangs too while frozen. */
  readonly filePath: string;
  /** What is stored; may be looked at and changed. */
  readonly medium: Buffer;
  readonly counts: Readonly<RequestCounts>;
  mode(mode: FaultMode): void;
  /** Stops the daemon between kernel and server (SIGSTOP): every call on the file hangs. */
  freeze(): void;
  thaw(): void;
  /** The storage is gone for good: EIO from now on. */
  cut(): void;
  stop(): Promise<void>;
};

const sizeBytesDefault = 4 << 20;
const limitSecondsDefault = 90;
const stepLimitMs = 10_000;
const daemon = "qemu-storage-daemon";

type Finished = { readonly code: number | null; readonly output: string };

function run(command: string, args: readonly string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", (error) => resolve({ code: null, output: error.message }));
    child.on("close", (code) => resolve({ code, output: output.trim() }));
  });
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const limit = performance.now() + stepLimitMs;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`fault device: ${what} did not come about`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Null if a fault device can be made here, else why not. */
export async function faultDeviceMissing(): Promise<string | null> {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/dev/fuse")) return "needs FUSE (/dev/fuse)";
  if (!existsSync("/dev/loop-control")) return "needs loop devices (/dev/loop-control)";
  if ((await run("losetup", ["--version"])).code !== 0) return "needs losetup (util-linux)";
  const { code } = await run(daemon, ["--version"]);
  return code === 0 ? null : `needs ${daemon} (apt-get install qemu-system-common)`;
}

/**
 * Waits for the end of its parent, of the folder's `keep` file, or of its time; then ends what is
 * left. It looks at sysfs only, for a tool that asked the loop driver could hang with the device.
 */
const watcher = `
folder=$1 parent=$2 limit=$3
elapsed=0
while [ -e "$folder/keep" ] && kill -0 "$parent" 2>/dev/null && [ "$elapsed" -lt "$limit" ]; do
  sleep 1
  elapsed=$((elapsed + 1))
done
[ -e "$folder/keep" ] || exit 0
pid=$(cat "$folder/daemon.pid" 2>/dev/null)
if [ -n "$pid" ] && grep -q "$folder" "/proc/$pid/cmdline" 2>/dev/null; then
  kill -CONT "$pid"
  kill -KILL "$pid"
fi
for backing in /sys/block/loop*/loop/backing_file; do
  case $(cat "$backing" 2>/dev/null) in
    "$folder"/*) name=\${backing#/sys/block/} && losetup -d "/dev/\${name%%/*}" ;;
  esac
done
umount -l "$folder/disk" 2>/dev/null
rm -rf "$folder"
`;

function startWatcher(folder: string, limitSeconds: number): void {
  writeFileSync(path.join(folder, "keep"), "");
  const args = ["-c", watcher, "watcher", folder, String(process.pid), String(limitSeconds)];
  spawn("sh", args, { stdio: "ignore", detached: true }).unref();
}

type Daemon = { readonly pid: number; readonly ended: () => boolean };

async function startDaemon(folder: string, file: string, isWritable: boolean): Promise<Daemon> {
  const socket = path.join(folder, "nbd.sock");
  const node = `driver=nbd,node-name=disk,server.type=unix,server.path=${socket},reconnect-delay=0`;
  const readOnly = isWritable ? "off" : "on";
  const share = `type=fuse,id=share,node-name=disk,mountpoint=${file},writable=${isWritable ? "on" : "off"}`;
  const args = ["--blockdev", `${node},read-only=${readOnly}`, "--export", share];
  const child = spawn(daemon, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let complaint = "";
  child.stderr.on("data", (data) => (complaint += data));
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error(`fault device: ${daemon} cannot be started`);
  writeFileSync(path.join(folder, "daemon.pid"), String(pid));
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const isMounted = () => readFileSync("/proc/mounts", "utf8").includes(` ${file} `);
  await until("the FUSE mount", () => isMounted() || ended());
  if (ended()) throw new Error(`fault device: ${daemon} ended: ${complaint}`);
  return { pid, ended };
}

async function attachLoop(file: string, options: FaultDeviceOptions): Promise<string> {
  const args = ["-f", "--show", "-b", String(options.logicalBytes ?? 512), "--direct-io=on"];
  if (options.readOnly) args.push("--read-only");
  const { code, output } = await run("losetup", [...args, file]);
  if (code !== 0) throw new Error(`fault device: losetup: ${output}`);
  return output;
}

async function stopDaemon({ pid, ended }: Daemon): Promise<void> {
  const signal = (name: NodeJS.Signals) => {
    if (!ended()) process.kill(pid, name);
  };
  signal("SIGCONT");
  signal("SIGTERM");
  await until("the end of the daemon", ended).catch(() => signal("SIGKILL"));
}

export async function startFaultDevice(options: FaultDeviceOptions = {}): Promise<FaultDevice> {
  const medium = options.medium ?? Buffer.alloc(options.sizeBytes ?? sizeBytesDefault);
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-fault-"));
  const file = path.join(folder, "disk");
  writeFileSync(file, ""); // the mount point: the export is a file, not a folder
  startWatcher(folder, options.limitSeconds ?? limitSecondsDefault);

  const disk = new FaultyDisk(medium);
  await disk.listen(path.join(folder, "nbd.sock"));
  const server = await startDaemon(folder, file, !options.readOnly);
  const device = await attachLoop(file, options);
  const isAttached = () => {
    try {
      const backing = `/sys/block/${path.basename(device)}/loop/backing_file`;
      return readFileSync(backing, "utf8").startsWith(folder);
    } catch {
      return false;
    }
  };

  return {
    path: device,
    filePath: file,
    medium,
    counts: disk.counts,
    mode: (mode) => {
      disk.mode = mode;
    },
    freeze: () => process.kill(server.pid, "SIGSTOP"),
    thaw: () => process.kill(server.pid, "SIGCONT"),
    cut: () => disk.close(),
    stop: async () => {
      disk.mode = "ok";
      if (!server.ended()) process.kill(server.pid, "SIGCONT");
      await run("losetup", ["-d", device]);
      // Still open somewhere: the kernel detaches it at the last close; the daemon's end does not wait.
      await until("the loop device to be detached", () => !isAttached()).catch(() => {});
      await stopDaemon(server);
      disk.close();
      rmSync(path.join(folder, "keep"), { force: true });
      await run("umount", ["-l", file]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
