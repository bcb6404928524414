/** Both ends of one pair of a stand-in for DRBD: two hosts, one file of state. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import type { OpenPair } from "../../open-provider.ts";
import type { BenchMade, ConformanceBench, Fault } from "../../testing/conformance-bench.ts";
import { drbdProvider } from "../../drbd.ts";

export type Version = 8 | 9;
type Host = "tokyo" | "osaka";
type HostState = {
  up: boolean;
  connects: boolean;
  role: "Primary" | "Secondary";
  written: boolean;
  paused: boolean;
  /** As the kernel has it, and as the configuration does. */
  disk: string;
  configured: string;
  faults: { answers: string | null; next: string | null };
};
export type StandInState = {
  version: Version;
  link: boolean;
  connected: boolean;
  isMixed: boolean;
  syncedAtMs: number;
  source: Host;
  hosts: Record<Host, HostState>;
};

const hostAt = { writer: "tokyo", reader: "osaka" } as const;
const queryLimitMs = 2000;
const changeLimitMs = 10_000;

export class StandIn {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-drbd-"));
  private readonly version: Version;
  private readonly file = path.join(this.folder, "state.json");

  constructor(version: Version) {
    this.version = version;
    const script = path.join(this.folder, "stand-in.mjs");
    writeFileSync(script, readFileSync(scriptPath));
    for (const host of ["tokyo", "osaka"] as const) {
      for (const program of ["drbdsetup", "drbdadm"]) {
        const text = `#!/bin/sh\nexec '${process.execPath}' '${script}' '${this.file}' ${host} ${program} "$@"\n`;
        writeFileSync(this.program(host, program), text);
        chmodSync(this.program(host, program), 0o755);
      }
    }
    writeFileSync(`${this.file}.log`, "");
    this.reset();
  }

  program(host: Host, program: string): string {
    return path.join(this.folder, `${program}-${host}`);
  }

  /** The writer's end is down; the reader's waits for it. */
  reset(): void {
    const host = (up: boolean): HostState => ({
      up,
      connects: up,
      role: "Secondary",
      written: false,
      paused: false,
      disk: "/dev/vda",
      configured: "/dev/vda",
      faults: { answers: null, next: null },
    });
    const state: StandInState = {
      version: this.version,
      link: true,
      connected: false,
      isMixed: false,
      syncedAtMs: 0,
      source: "tokyo",
      hosts: { tokyo: host(false), osaka: host(true) },
    };
    this.store(state);
  }

  alter(change: (state: StandInState) => void): void {
    const state = JSON.parse(readFileSync(this.file, "utf8")) as StandInState;
    change(state);
    this.store(state);
  }

  /** Every command so far, in order. */
  asked(): readonly string[] {
    return readFileSync(`${this.file}.log`, "utf8").split("\n").slice(0, -1);
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  open(end: MirrorEnd, expected: string | null = null): OpenPair {
    const host = hostAt[end];
    const own = {
      resource: "hba",
      volume: 0,
      drbdsetup: [this.program(host, "drbdsetup")],
      drbdadm: [this.program(host, "drbdadm")],
    };
    const provider = drbdProvider({
      ...{ mirror: "a-b", end, own, peer: {}, device: "/dev/drbd0", peerDevice: "/dev/vda" },
      nowMs: realClock.nowMs,
    });
    return { provider, end, expected, queryLimitMs, changeLimitMs };
  }

  private store(state: StandInState): void {
    writeFileSync(`${this.file}.new`, JSON.stringify(state));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** Tests are bundled to another folder and run in the project's; the script stays in the sources. */
const scriptPath = path.resolve("src/remotecopy/drbd/testing/stand-in.mjs");

function faultsOf(standIn: StandIn): ConformanceBench["faults"] {
  const altered =
    (change: (state: StandInState) => void, undo: (state: StandInState) => void): Fault =>
    async () => {
      standIn.alter(change);
      return () => Promise.resolve(standIn.alter(undo));
    };
  const answers = (kind: string): Fault =>
    altered(
      ({ hosts }) => void (hosts.tokyo.faults.answers = kind),
      ({ hosts }) => void (hosts.tokyo.faults.answers = null),
    );
  const next = (kind: string): Fault =>
    altered(
      ({ hosts }) => void (hosts.tokyo.faults.next = kind),
      ({ hosts }) => void (hosts.tokyo.faults.next = null),
    );
  const move = (from: string, to: string) => {
    for (const program of ["drbdsetup", "drbdadm"]) {
      const name = standIn.program("tokyo", program);
      renameSync(`${name}${from}`, `${name}${to}`);
    }
  };
  return {
    cutLink: altered(
      (state) => void (state.link = false),
      (state) => void (state.link = true),
    ),
    hang: answers("hang"),
    dead: () => {
      move("", ".gone");
      return Promise.resolve(() => Promise.resolve(move(".gone", "")));
    },
    garbage: answers("garbage"),
    truncated: answers("truncated"),
    killedInMidCommand: next("killed"),
    failsAfterEffect: next("fails"),
    liesOfSuccess: next("lies"),
    mixedGroup: altered(
      (state) => void (state.isMixed = true),
      (state) => void (state.isMixed = false),
    ),
    otherVolume: altered(
      ({ hosts }) => void (hosts.tokyo.disk = "/dev/vdz"),
      ({ hosts }) => void (hosts.tokyo.disk = "/dev/vda"),
    ),
  };
}

export function makeBench(version: Version = 8): Promise<BenchMade> {
  const standIn = new StandIn(version);
  const identity = `${os.hostname()}/hba/0:/dev/vda`;
  return Promise.resolve({
    ok: true,
    bench: {
      title: `a stand-in for DRBD ${version === 8 ? "8.4 (events)" : "9 (JSON)"}`,
      ends: { writer: standIn.open("writer", identity), reader: standIn.open("reader", identity) },
      data: null,
      faults: faultsOf(standIn),
      reset: () => Promise.resolve(standIn.reset()),
      end: () => Promise.resolve(standIn.end()),
    },
  });
}
