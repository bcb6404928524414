/**
 * The sample library with two plain files, for the conformance suite and the tests of the
 * provider: the shipped program holds the library, as it does in earnest.
 */
import { existsSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { realClock } from "../../../host/clock.ts";
import { needBuiltProgram, program } from "../../../testing/agent-process.ts";
import type { MirrorEnd } from "../../evidence.ts";
import type { OpenPair } from "../../open-provider.ts";
import type { BenchMade, ConformanceBench, Fault } from "../../testing/conformance-bench.ts";
import { vendorPair } from "../../vendor.ts";

export const sampleLibrary = path.resolve(".build/native/libmirrorbeat_sample.so");

/** The shipped program holding `library`. */
export function builtHost(library: string): readonly string[] {
  needBuiltProgram();
  return [process.execPath, `${program}.cjs`, "vendor-host", library];
}

const volumeBytes = 1 << 20;
const blockBytes = 4096;

/** What a pair of two plain files needs, whoever copies them. */
export function twoFiles(name: string) {
  const folder = mkdtempSync(path.join(os.tmpdir(), `mirrorbeat-${name}-`));
  const files = { writer: path.join(folder, "pvol"), reader: path.join(folder, "svol") };
  for (const file of Object.values(files)) writeFileSync(file, Buffer.alloc(volumeBytes));
  const state = path.join(folder, "state");
  const faultFile = `${state}.fault`;
  const remove = (...names: readonly string[]): void => {
    for (const file of names) if (existsSync(file)) unlinkSync(file);
  };
  return {
    folder,
    files,
    state,
    fault:
      (word: string): Fault =>
      () => {
        writeFileSync(faultFile, `${word}\n`);
        return Promise.resolve(() => Promise.resolve(remove(faultFile)));
      },
    clear: () => remove(faultFile, state),
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}
export type TwoFiles = ReturnType<typeof twoFiles>;

/** The array copies only while it is asked: each access asks it first. */
export function dataOf(
  { files }: TwoFiles,
  ends: Readonly<Record<MirrorEnd, OpenPair>>,
): NonNullable<ConformanceBench["data"]> {
  const ask = async () => {
    await ends.writer.provider.query("local", ends.writer.queryLimitMs);
  };
  return {
    async write(end, block, bytes) {
      const file = await open(files[end], "r+");
      await file.write(bytes, 0, bytes.length, block * blockBytes);
      await file.close();
      await ask();
    },
    async read(end, block) {
      await ask();
      const file = await open(files[end], "r");
      const bytes = Buffer.alloc(blockBytes);
      await file.read(bytes, 0, blockBytes, block * blockBytes);
      await file.close();
      return bytes;
    },
  };
}

/** One end, and the session that keeps its library. */
export function vendorEnd(two: TwoFiles, end: MirrorEnd, library = sampleLibrary) {
  const own = { library, settings: `state=${two.state}` };
  const other = end === "writer" ? "reader" : "writer";
  const [device, peerDevice] = [two.files[end], two.files[other]];
  const { nowMs } = realClock;
  const context = { mirror: "a-b", end, own, peer: own, device, peerDevice, nowMs };
  return vendorPair(context, builtHost(library));
}

export async function makeBench(): Promise<BenchMade> {
  const two = twoFiles("vendor");
  const pair = (end: MirrorEnd): OpenPair => {
    const { provider } = vendorEnd(two, end);
    return { provider, end, expected: `sample/${end}`, queryLimitMs: 2000, changeLimitMs: 10_000 };
  };
  const ends = { writer: pair("writer"), reader: pair("reader") };
  // So that what the library can do is known before the suite looks.
  for (const { provider } of Object.values(ends)) await provider.identify(20_000);
  const { fault } = two;
  const bench: ConformanceBench = {
    title: "the sample library, two plain files",
    ends,
    data: dataOf(two, ends),
    faults: {
      cutLink: fault("cut-link"),
      hang: fault("hang"),
      dead: fault("crash"),
      garbage: fault("garbage"),
      truncated: fault("unterminated"),
      killedInMidCommand: fault("crash-after-effect"),
      failsAfterEffect: fault("fail-after-effect"),
      liesOfSuccess: fault("no-effect"),
      mixedGroup: fault("mixed-group"),
      otherVolume: fault("other-volume"),
    },
    reset: () => Promise.resolve(two.clear()),
    end: () => Promise.resolve(two.end()),
  };
  return { ok: true, bench };
}
