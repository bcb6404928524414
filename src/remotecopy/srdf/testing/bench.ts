/**
 * Two sites played by stand-in.mjs behind small scripts with the names of Solutions Enabler's
 * programs; faults are switches in its state. Nothing is copied. Its pairs are made by makePair:
 * until then the array has no word for their state.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import type { OpenPair } from "../../open-provider.ts";
import { srdfProvider } from "../../srdf.ts";
import type { BenchMade, Fault } from "../../testing/conformance-bench.ts";

export type StandInState = Record<string, unknown> & { faults: Record<string, unknown> };

const program = path.resolve("src/remotecopy/srdf/testing/stand-in.mjs");
const sites = {
  west: { type: "RDF1", symid: "000197900001", devices: ["001A1", "001A2"] },
  east: { type: "RDF2", symid: "000197900002", devices: ["002B1", "002B2"] },
};

const initial = (): StandInState => ({
  group: "HB_DG",
  rdfg: 7,
  mode: "Synchronous",
  pairState: "Invalid",
  syncedAtMs: 0,
  faults: {},
  sites,
});

export class StandIn {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-srdf-"));
  private readonly file = path.join(this.folder, "state.json");

  constructor() {
    this.reset();
    for (const site of Object.keys(sites)) {
      mkdirSync(this.tools(site));
      for (const tool of ["symrdf", "symdg", "syminq"]) {
        const script = path.join(this.tools(site), tool);
        const words = [process.execPath, program, this.folder, site, tool];
        writeFileSync(script, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
        chmodSync(script, 0o755);
      }
    }
  }

  tools(site: string): string {
    return path.join(this.folder, `bin-${site}`);
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

  set(pairState: string): void {
    this.edit((state) => {
      state["pairState"] = pairState;
    });
  }

  open(end: MirrorEnd, more: Readonly<Record<string, string | number>> = {}): OpenPair {
    const site = end === "writer" ? "west" : "east";
    const own = { group: "HB_DG", rdfg: 7, folder: this.tools(site), ...more };
    const provider = srdfProvider({
      mirror: "m",
      end,
      own,
      peer: own,
      device: "/dev/null",
      peerDevice: "/dev/null",
      nowMs: realClock.nowMs,
    });
    const expected = `${sites[site].symid}/${sites[site].devices.join("+")}`;
    return { provider, end, expected, queryLimitMs: 3000, changeLimitMs: 8000 };
  }

  fault(set: () => void, undo: () => void): Fault {
    return () => {
      set();
      return Promise.resolve(() => Promise.resolve(undo()));
    };
  }

  switched(name: string, value: unknown = true): Fault {
    return this.fault(
      () =>
        this.edit(({ faults }) => {
          faults[name] = value;
        }),
      () =>
        this.edit(({ faults }) => {
          delete faults[name];
        }),
    );
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function makeBench(): Promise<BenchMade> {
  const standIn = new StandIn();
  const [there, gone] = [standIn.tools("west"), `${standIn.tools("west")}-gone`];
  return Promise.resolve({
    ok: true,
    bench: {
      title: "a stand-in for Solutions Enabler, as documented; no array",
      ends: { writer: standIn.open("writer"), reader: standIn.open("reader") },
      data: null,
      faults: {
        cutLink: standIn.fault(
          () => standIn.set("Partitioned"),
          () => standIn.set("Suspended"),
        ),
        hang: standIn.switched("hang", "west"),
        dead: standIn.fault(
          () => renameSync(there, gone),
          () => renameSync(gone, there),
        ),
        garbage: standIn.switched("garbage"),
        truncated: standIn.switched("truncated"),
        killedInMidCommand: standIn.switched("killed"),
        failsAfterEffect: standIn.switched("fails"),
        liesOfSuccess: standIn.switched("lies"),
        mixedGroup: standIn.switched("mixed"),
        otherVolume: standIn.switched("otherVolume"),
      },
      makePair: () => Promise.resolve(standIn.set("Synchronized")),
      reset: () => Promise.resolve(standIn.reset()),
      end: () => Promise.resolve(standIn.end()),
    },
  });
}
