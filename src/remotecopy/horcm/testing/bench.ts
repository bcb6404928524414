/**
 * The stand-in as a bench: HORCM's commands installed in a folder of their own as programs, two
 * volumes in one group, each end with the provider as the program makes it.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { buildSync } from "esbuild";
import { horcmProvider } from "../../horcm.ts";
import type { BenchMade, Fault } from "../../testing/conformance-bench.ts";
import { openEnds } from "./ends.ts";
import {
  type Arrays,
  cutLink,
  freshArrays,
  mendLink,
  primaryOf,
  setPair,
  write,
} from "./arrays.ts";
import { programNames } from "./commands.ts";
import { readArrays, writeArrays } from "./stand-in.ts";

const devices = ["hb_a", "hb_b"];

/** The programs in a folder; what they know is in the file that is given. */
export function installStandIn(): { readonly folder: string; readonly state: string } {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-horcm-"));
  const script = path.join(folder, "stand-in.cjs");
  buildSync({
    entryPoints: ["src/remotecopy/horcm/testing/stand-in.ts"],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    outfile: script,
    footer: { js: "module.exports.main(process.argv.slice(2));" },
    logLevel: "error",
  });
  const state = path.join(folder, "state.json");
  for (const name of programNames) {
    const file = path.join(folder, name);
    const command = [process.execPath, script, state, name].map((word) => `'${word}'`).join(" ");
    writeFileSync(file, `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(file, 0o755);
  }
  return { folder, state };
}

export function makeBench(): Promise<BenchMade> {
  const { folder, state } = installStandIn();
  const reset = (): void => writeArrays(state, freshArrays("HBA", devices));
  reset();
  const change = (edit: (arrays: Arrays) => void): Promise<void> => {
    const arrays = readArrays(state);
    edit(arrays);
    writeArrays(state, arrays);
    return Promise.resolve();
  };
  const cause =
    (begin: (arrays: Arrays) => void, end: (arrays: Arrays) => void): Fault =>
    async () => {
      await change(begin);
      return () => change(end);
    };
  const answers = (how: Arrays["faults"]["writer"]["answers"]): Fault =>
    cause(
      ({ faults }) => (faults.writer.answers = how),
      ({ faults }) => (faults.writer.answers = "well"),
    );
  const next = (how: Arrays["faults"]["writer"]["next"]): Fault =>
    cause(
      ({ faults }) => (faults.writer.next = how),
      ({ faults }) => (faults.writer.next = "well"),
    );
  const second = ({ volumes }: Arrays, p: string, s: string): void => {
    const [, volume] = volumes;
    const primary = volume && primaryOf(volume);
    if (volume && primary) setPair(volume, primary, p, s);
  };
  const moved =
    (by: number) =>
    ({ volumes }: Arrays): void => {
      for (const { writer } of volumes) writer.ldev += by;
    };
  return Promise.resolve({
    ok: true,
    bench: {
      title: "stand-in for CCI, two volumes in one group, layouts as documented",
      ends: openEnds(folder, { volumes: devices.length }, horcmProvider),
      data: null,
      faults: {
        // A host writes on: only that is noticed.
        cutLink: cause((arrays) => {
          cutLink(arrays);
          write(arrays);
        }, mendLink),
        hang: answers("never"),
        dead: cause(
          ({ instances }) => (instances.writer = "dead"),
          ({ instances }) => (instances.writer = "up"),
        ),
        garbage: answers("garbage"),
        truncated: answers("half"),
        killedInMidCommand: next("killed"),
        failsAfterEffect: next("fails"),
        liesOfSuccess: next("lies"),
        mixedGroup: cause(
          (arrays) => second(arrays, "PSUS", "SSUS"),
          (arrays) => second(arrays, "PAIR", "PAIR"),
        ),
        otherVolume: cause(moved(0x100), moved(-0x100)),
      },
      reset: () => Promise.resolve(reset()),
      end: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
    },
  });
}
