/** Two clusters played by stand-in.mjs; faults are switches in its state. Nothing is copied. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import type { OpenPair } from "../../open-provider.ts";
import { rbdProvider } from "../../rbd.ts";
import type { BenchMade, Fault } from "../../testing/conformance-bench.ts";

type Site = Record<string, unknown>;
export type StandInState = Record<string, unknown> & {
  faults: Record<string, unknown>;
  sites: Record<string, Site>;
};

const program = path.resolve("src/remotecopy/rbd/testing/stand-in.mjs");
const fsids = {
  west: "00000000-0000-4000-8000-00000000000a",
  east: "00000000-0000-4000-8000-00000000000b",
};

const initial = (): StandInState => ({
  created: 1,
  mode: "journal",
  pool: "pool",
  image: "hba",
  globalId: "",
  link: "up",
  faults: {},
  sites: {
    west: { fsid: fsids.west, exists: true, id: "a1", mirrored: false, primary: false },
    east: { fsid: fsids.east, exists: false, id: "", mirrored: false, primary: false },
  },
});

export class StandIn {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-rbd-"));
  private readonly file = path.join(this.folder, "state.json");

  constructor() {
    this.reset();
  }

  reset(): void {
    writeFileSync(this.file, JSON.stringify(initial()));
  }

  edit(change: (state: StandInState) => void): void {
    const state = JSON.parse(readFileSync(this.file, "utf8")) as StandInState;
    change(state);
    writeFileSync(`${this.file}.new`, JSON.stringify(state));
    renameSync(`${this.file}.new`, this.file);
  }

  open(end: MirrorEnd, more: Readonly<Record<string, string | readonly string[]>> = {}): OpenPair {
    const settings = (cluster: string) => ({
      image: "pool/hba",
      cluster,
      rbd: [process.execPath, program, this.folder, "rbd"],
      ceph: [process.execPath, program, this.folder, "ceph"],
      ...more,
    });
    const [own, peer] =
      end === "writer" ? (["west", "east"] as const) : (["east", "west"] as const);
    const provider = rbdProvider({
      mirror: "m",
      end,
      own: settings(own),
      peer: settings(peer),
      device: "/dev/null",
      peerDevice: "/dev/null",
      nowMs: realClock.nowMs,
    });
    const expected = `${fsids[own]}/pool/hba`;
    return { provider, end, expected, queryLimitMs: 3000, changeLimitMs: 8000 };
  }

  fault(set: (state: StandInState) => void, undo: (state: StandInState) => void): Fault {
    return () => {
      this.edit(set);
      return Promise.resolve().then(() => () => Promise.resolve(this.edit(undo)));
    };
  }

  switched(name: string, value: unknown = true): Fault {
    return this.fault(
      ({ faults }) => {
        faults[name] = value;
      },
      ({ faults }) => {
        delete faults[name];
      },
    );
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function makeBench(): Promise<BenchMade> {
  const standIn = new StandIn();
  const setLink = (link: string) => (state: StandInState) => {
    state["link"] = link;
  };
  const setFsid = (fsid: string) => (state: StandInState) => {
    state.sites["west"] = { ...state.sites["west"], fsid };
  };
  return Promise.resolve({
    ok: true,
    bench: {
      title: "a stand-in for rbd, as documented; no Ceph cluster",
      ends: { writer: standIn.open("writer"), reader: standIn.open("reader") },
      data: null,
      faults: {
        cutLink: standIn.fault(setLink("cut"), setLink("up")),
        hang: standIn.switched("hang", "west"),
        dead: standIn.switched("dead", "west"),
        garbage: standIn.switched("garbage"),
        truncated: standIn.switched("truncated"),
        killedInMidCommand: standIn.switched("killed"),
        failsAfterEffect: standIn.switched("fails"),
        liesOfSuccess: standIn.switched("lies"),
        mixedGroup: standIn.switched("mixed"),
        otherVolume: standIn.fault(setFsid(fsids.east), setFsid(fsids.west)),
      },
      reset: () => Promise.resolve(standIn.reset()),
      end: () => Promise.resolve(standIn.end()),
    },
  });
}
