/**
 * The sample program (fixtures/exec-sample.sh) with two plain files, for the conformance suite.
 * Its faults come from a wrapper of this bench, which reads the fault's word from a file.
 */
import { chmodSync, existsSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import { execProvider } from "../../exec.ts";
import type { OpenPair } from "../../open-provider.ts";
import type { BenchMade, ConformanceBench, Fault } from "../../testing/conformance-bench.ts";
import { dataOf, twoFiles, type TwoFiles } from "../../vendor/testing/bench.ts";

export const sample = path.resolve("fixtures/exec-sample.sh");

/** `run` is the sample itself; a fault that is about changes lets questions through. */
const wrapper = (state: string): string => `#!/bin/sh
fault=; [ -e ${state}.fault ] && read -r fault <${state}.fault
request=$(cat)
run() { printf '%s\\n' "$request" | sh ${sample}; }
change() { case $request in *'"call":"change"'*) return 0 ;; esac; return 1; }
case $fault in
  hang) sleep 600 ;;
  crash) kill -9 $$ ;;
  garbage) head -c 3000 /dev/urandom; exit 0 ;;
  half) answer=$(run); printf '%s' "$answer" | head -c $((\${#answer} / 2)); exit 0 ;;
  killed-after-effect) change && { run >/dev/null; kill -9 $$; } ;;
  fail-after-effect) change && { run >/dev/null; echo no >&2; exit 5; } ;;
  no-effect) change && { echo '{"version":1,"ok":true}'; exit 0; } ;;
  mixed-group) echo '{"version":1,"ok":false,"class":"mixed-group","message":"two volumes differ"}'; exit 0 ;;
  other-volume) case $request in *'"call":"identify"'*)
    echo '{"version":1,"ok":true,"own":"files/other","peer":null}'; exit 0 ;; esac ;;
esac
run
`;

/** One end; `program` is the sample unless told. */
export function execEnd(
  two: TwoFiles,
  end: MirrorEnd,
  program: readonly string[] = ["sh", sample],
) {
  const own = { program, settings: two.state };
  const other = end === "writer" ? "reader" : "writer";
  const [device, peerDevice] = [two.files[end], two.files[other]];
  const { nowMs } = realClock;
  return execProvider({ mirror: "a-b", end, own, peer: own, device, peerDevice, nowMs });
}

export async function makeBench(): Promise<BenchMade> {
  const two = twoFiles("exec");
  const wrapped = path.join(two.folder, "array.sh");
  writeFileSync(wrapped, wrapper(two.state));
  chmodSync(wrapped, 0o755);
  const pair = (end: MirrorEnd): OpenPair => {
    const provider = execEnd(two, end, ["sh", wrapped]);
    return { provider, end, expected: `files/${end}`, queryLimitMs: 2000, changeLimitMs: 10_000 };
  };
  const ends = { writer: pair("writer"), reader: pair("reader") };
  // So that what the program can do is known before the suite looks.
  for (const { provider } of Object.values(ends)) await provider.identify(20_000);
  const { fault } = two;
  const cut = `${two.state}.cut`;
  const cutLink: Fault = () => {
    writeFileSync(cut, "");
    return Promise.resolve(() => Promise.resolve(unlinkSync(cut)));
  };
  const bench: ConformanceBench = {
    title: "the sample program, two plain files",
    ends,
    data: dataOf(two, ends),
    faults: {
      cutLink,
      hang: fault("hang"),
      dead: fault("crash"),
      garbage: fault("garbage"),
      truncated: fault("half"),
      killedInMidCommand: fault("killed-after-effect"),
      failsAfterEffect: fault("fail-after-effect"),
      liesOfSuccess: fault("no-effect"),
      mixedGroup: fault("mixed-group"),
      otherVolume: fault("other-volume"),
    },
    reset: () => {
      if (existsSync(cut)) unlinkSync(cut);
      return Promise.resolve(two.clear());
    },
    end: () => Promise.resolve(two.end()),
  };
  return { ok: true, bench };
}
