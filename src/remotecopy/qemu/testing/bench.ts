/**
 * Two real daemons on loopback, without root: what goes between them runs through proxies that can
 * be cut, what a provider says to its own through one that can lie.
 */
import { execFile } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { EndSettings } from "../../../core/base/pair-settings.ts";
import { needProgram } from "../../../testing/where.ts";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import { type OpenPair, openProvider } from "../../open-provider.ts";
import type { BenchMade, ConformanceBench, Fault } from "../../testing/conformance-bench.ts";
import { type Daemon, daemonOf } from "./daemon.ts";
import { type LinkProxy, linkProxy, type QmpMode, type QmpProxy, qmpProxy } from "./proxy.ts";

const run = promisify(execFile);
const ends = ["writer", "reader"] as const;
const blockBytes = 4096;
const ioLimitMs = 30_000;
const ports = { writer: 20_809, reader: 20_810 } as const;
const proxyOffset = 1000;
let benches = 0;

export const benchNeeds = [
  needProgram("qemu-storage-daemon", "qemu-system-common"),
  needProgram("qemu-io", "qemu-utils"),
  needProgram("setpriv", "util-linux"),
];

/** An address of this process and bench alone. */
function ownAddress(): string {
  const { pid } = process;
  return `127.${128 + ((pid >> 16) & 31) + 32 * (benches++ & 1)}.${(pid >> 8) & 255}.${pid & 255}`;
}

export type QemuBench = ConformanceBench & {
  readonly daemons: Readonly<Record<MirrorEnd, Daemon>>;
  readonly settings: Readonly<Record<MirrorEnd, EndSettings>>;
};

type Parts = {
  readonly folder: string;
  readonly host: string;
  readonly daemons: Readonly<Record<MirrorEnd, Daemon>>;
  readonly links: readonly LinkProxy[];
  readonly proxies: Record<MirrorEnd, QmpProxy>;
};

const settingsFile = (folder: string, end: MirrorEnd, what: string): string =>
  path.join(folder, `${end}.${what}-proxy`);

async function makeParts(): Promise<Parts> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-qemu-"));
  const host = ownAddress();
  const daemonAt = (end: MirrorEnd): Daemon =>
    daemonOf({ folder, name: end, nbd: { host, port: ports[end] } });
  const daemons = { writer: daemonAt("writer"), reader: daemonAt("reader") };
  await Promise.all(ends.map((end) => daemons[end].start()));
  const links = await Promise.all(
    ends.flatMap((end) => [
      linkProxy({ host, port: ports[end] + proxyOffset }, { host, port: ports[end] }),
      linkProxy(
        { path: settingsFile(folder, end, "monitor") },
        { path: daemons[end].monitor },
      ),
    ]),
  ); // biome-ignore format: both of one end
  const proxyAt = (end: MirrorEnd): Promise<QmpProxy> =>
    qmpProxy({ path: settingsFile(folder, end, "qmp") }, { path: daemons[end].qmp });
  const proxies = { writer: await proxyAt("writer"), reader: await proxyAt("reader") };
  return { folder, host, daemons, links, proxies };
}

function settingsOf(
  { folder, host, daemons }: Parts,
  end: MirrorEnd,
  more: EndSettings,
): EndSettings {
  return {
    identity: daemons[end].identity,
    query_limit_ms: 2000,
    change_limit_ms: 6000,
    qmp: settingsFile(folder, end, "qmp"),
    monitor: settingsFile(folder, end, "monitor"),
    address: `${host}:${ports[end] + proxyOffset}`,
    node: "vol",
    front: "front",
    export: "replica",
    copying: "synchronous",
    job: "pair",
    ...more,
  };
}

async function openEnd(parts: Parts, end: MirrorEnd, more: EndSettings): Promise<OpenPair> {
  const settings = (at: MirrorEnd): EndSettings => settingsOf(parts, at, more);
  const mirror = {
    name: "bench",
    pvol: parts.daemons.writer.file,
    svol: parts.daemons.reader.file,
    pair: { provider: "qemu", writer: settings("writer"), reader: settings("reader") },
  } as const;
  const opened = await openProvider(mirror, end, realClock.nowMs);
  if (!opened) throw new Error("no provider");
  return opened;
}

function dataOf({ folder, host, daemons }: Parts) {
  let writes = new AbortController();
  return {
    /** Of a write that waits for a daemon that was killed meanwhile. */
    forget(): void {
      writes.abort();
      writes = new AbortController();
    },
    async write(end: MirrorEnd, block: number, bytes: Buffer): Promise<void> {
      const file = path.join(folder, `${end}.block`);
      writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(blockBytes)], blockBytes));
      const command = `write -f -s ${file} ${block * blockBytes} ${blockBytes}`;
      const volume = `nbd://${host}:${ports[end]}/host`;
      const { signal } = writes;
      await run("qemu-io", ["-f", "raw", "-c", command, volume], { signal, timeout: ioLimitMs });
    },
    read(end: MirrorEnd, block: number): Promise<Buffer> {
      const bytes = Buffer.alloc(blockBytes);
      const handle = openSync(daemons[end].file, "r");
      readSync(handle, bytes, 0, blockBytes, block * blockBytes);
      closeSync(handle);
      return Promise.resolve(bytes);
    },
  };
}

function faultsOf({ folder, daemons, links, proxies }: Parts): ConformanceBench["faults"] {
  const { writer } = daemons;
  const mode =
    (to: QmpMode): Fault =>
    () => {
      proxies.writer.mode = to;
      return Promise.resolve(() => {
        proxies.writer.mode = "pass";
        return Promise.resolve();
      });
    };
  const own = { path: settingsFile(folder, "writer", "qmp") };
  return {
    cutLink: () => {
      for (const link of links) link.cut();
      return Promise.resolve(() => {
        for (const link of links) link.mend();
        return Promise.resolve();
      });
    },
    hang: () => {
      writer.signal("SIGSTOP");
      return Promise.resolve(() => Promise.resolve(writer.signal("SIGCONT")));
    },
    // Only the way to it: a daemon that was killed has forgotten its pair.
    dead: async () => {
      await proxies.writer.close();
      return async () => {
        proxies.writer = await qmpProxy(own, { path: writer.qmp });
      };
    },
    garbage: mode("garbage"),
    truncated: mode("truncated"),
    killedInMidCommand: mode("kill-after-effect"),
    failsAfterEffect: mode("fail-after-effect"),
    liesOfSuccess: mode("lie"),
    mixedGroup: null,
    otherVolume: () => {
      proxies.writer.upstream = { path: daemons.reader.qmp };
      return Promise.resolve(() => {
        proxies.writer.upstream = { path: writer.qmp };
        return Promise.resolve();
      });
    },
  };
}

/** `more` are settings of both ends. */
export async function makeQemuBench(
  more: EndSettings = {},
): Promise<{ ok: true; bench: QemuBench } | Extract<BenchMade, { ok: false }>> {
  const unmet = benchNeeds.filter((need) => need !== null);
  if (unmet.length > 0) return { ok: false, reason: unmet.join(", ") };
  const parts = await makeParts();
  const { folder, daemons, links, proxies } = parts;
  const { stdout } = await run("qemu-storage-daemon", ["--version"]);
  const version = /version (\S+)/.exec(stdout)?.[1] ?? "";
  const opened = {
    writer: await openEnd(parts, "writer", more),
    reader: await openEnd(parts, "reader", more),
  };
  const data = dataOf(parts);
  const bench: QemuBench = {
    title: `qemu-storage-daemon ${version}, ${String(more["copying"] ?? "synchronous")}`,
    ends: opened,
    daemons,
    settings: {
      writer: settingsOf(parts, "writer", more),
      reader: settingsOf(parts, "reader", more),
    },
    data,
    faults: faultsOf(parts),
    async reset() {
      data.forget();
      for (const link of links) link.mend();
      for (const end of ends) proxies[end].mode = "pass";
      await Promise.all(ends.map((end) => daemons[end].kill()));
      await Promise.all(ends.map((end) => daemons[end].start()));
    },
    async end() {
      await Promise.all(ends.map((end) => daemons[end].kill()));
      await Promise.all([...links, proxies.writer, proxies.reader].map((each) => each.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return { ok: true, bench };
}

export const makeBench = (): Promise<BenchMade> => makeQemuBench();
