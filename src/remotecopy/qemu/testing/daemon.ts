/** A qemu-storage-daemon for tests, without root: one volume in a raw file, QMP on two sockets. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";

export type DaemonPlan = {
  readonly folder: string;
  readonly name: string;
  readonly nbd: { readonly host: string; readonly port: number };
};

export const volumeBytes = 4 << 20;
const startLimitMs = 20_000;
const lookEveryMs = 10;

export type Daemon = {
  readonly qmp: string;
  readonly monitor: string;
  readonly file: string;
  readonly identity: string;
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function answers(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.on("data", () => end(true));
    socket.on("error", () => end(false));
  });
}

export function daemonOf({ folder, name, nbd }: DaemonPlan): Daemon {
  const file = path.join(folder, `${name}.img`);
  const qmp = path.join(folder, `${name}.qmp`);
  const monitor = path.join(folder, `${name}.monitor`);
  const log = path.join(folder, `${name}.log`);
  const chardev = (id: string, socket: string): string[] => [
    "--chardev", `socket,id=${id},path=${socket},server=on,wait=off`,
    "--monitor", `chardev=${id}`,
  ]; // biome-ignore format: a command line
  const args = [
    ...chardev("q", qmp), ...chardev("m", monitor),
    "--object", `throttle-group,id=array.${name}`,
    "--blockdev", `driver=file,node-name=vol,filename=${file}`,
    "--blockdev", "driver=raw,node-name=front,file=vol",
    "--nbd-server", `addr.type=inet,addr.host=${nbd.host},addr.port=${nbd.port}`,
    "--export", "type=nbd,id=host,node-name=front,name=host,writable=on",
  ]; // biome-ignore format: a command line
  let child: ChildProcess | null = null;
  let gone: Promise<void> = Promise.resolve();
  return {
    qmp,
    monitor,
    file,
    identity: `${name}/${file.slice(1)}`,
    async start() {
      if (!existsSync(file)) writeFileSync(file, Buffer.alloc(volumeBytes));
      const output = openSync(log, "a");
      // It must not outlive a test that is killed.
      const command = ["--pdeathsig", "KILL", "qemu-storage-daemon", ...args];
      const started = spawn("setpriv", command, { stdio: ["ignore", output, output] });
      closeSync(output);
      child = started;
      let ended = false;
      gone = new Promise((resolve) => {
        const end = (): void => {
          ended = true;
          resolve();
        };
        started.on("exit", end);
        started.on("error", end);
      });
      const endMs = performance.now() + startLimitMs;
      while (!((await answers(qmp)) && (await answers(monitor)))) {
        if (ended || performance.now() > endMs) {
          throw new Error(`qemu-storage-daemon ${name}: ${readFileSync(log, "utf8")}`);
        }
        await pause(lookEveryMs);
      }
    },
    signal(signal) {
      child?.kill(signal);
    },
    async kill() {
      child?.kill("SIGKILL");
      await gone;
    },
  };
}
