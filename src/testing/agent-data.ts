/**
 * Data groups for tests: pairs of two plain files with an "array" that is a shell script
 * (fixtures/exec-sample.sh), which can be told to fail, lie, hang or stop in the middle, and which
 * writes down each call.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { DataInput, DataNews, TakeData } from "../agent/data-inputs.ts";
import { dataPairs, type DataTools, dataTools } from "../agent/data-pairs.ts";
import type { Config, DataGroupConfig } from "../core/base/config.ts";
import { type BlockIo, openBlockIo } from "../device/block.ts";
import { realClock } from "../host/clock.ts";
import { sample } from "../remotecopy/exec/testing/bench.ts";
import { twoFiles } from "../remotecopy/vendor/testing/bench.ts";
import { configFor } from "./core-config.ts";

/** What the array does wrong from now on; only "hang" and "slow" touch questions too. */
export type Fault =
  /** No command does anything; each says so. */
  | "fail"
  /** No command does anything; each says that it did. */
  | "lie"
  /** Nothing is answered any more. */
  | "hang"
  /** Commands do nothing, and never end. */
  | "hang-before"
  /** Commands take effect, and never end. */
  | "hang-after"
  /** Commands take effect, and their program dies. */
  | "killed-after"
  /** It has no swap. */
  | "no-swap"
  /** Another volume has that name. */
  | "other-volume"
  /** Each question takes half a second. */
  | "slow";

const script = (state: string): string => `#!/bin/sh
request=$(cat)
fault=; [ -e ${state}.fault ] && read -r fault <${state}.fault
run() { printf '%s\\n' "$request" | sh ${sample}; }
case $request in
  *'"call":"change"'*) kind=change ;;
  *'"call":"query"'*) kind=query ;;
  *'"call":"identify"'*) kind=identify ;;
  *) kind=capabilities ;;
esac
verb=$(printf '%s' "$request" | sed -n 's/.*"verb":"\\([a-z]*\\)".*/ \\1/p')
force=$(printf '%s' "$request" | sed -n 's/.*"force":true.*/ force/p')
echo "$kind$verb$force" >>${state}.log
stay() { echo $$ >>${state}.pids; exec sleep 600; }
case $fault:$kind in
  fail:change) echo "no such command" >&2; exit 5 ;;
  lie:change) echo '{"version":1,"ok":true,"detail":"all is well"}'; exit 0 ;;
  hang:*|hang-before:change) stay ;;
  hang-after:change) run >/dev/null; echo done >>${state}.log; stay ;;
  killed-after:change) run >/dev/null; kill -9 $$ ;;
  no-swap:capabilities) run | sed 's/"swap",//'; exit 0 ;;
  other-volume:identify) echo '{"version":1,"ok":true,"own":"files/another","peer":null}'; exit 0 ;;
  slow:query) sleep 0.5 ;;
esac
run
`;

export type DataBench = ReturnType<typeof dataBench>;

/** One pair of this name, written at tokyo and copied to osaka; simplex until it is set. */
export function dataBench(name: string, id = 1) {
  const two = twoFiles(`data-${name}`);
  const { state, files } = two;
  const program = path.join(two.folder, "array.sh");
  writeFileSync(program, script(state), { mode: 0o755 });
  const end = (which: "writer" | "reader") => ({
    program: ["sh", program],
    settings: state,
    identity: `files/${which}`,
    query_limit_ms: 1000,
    change_limit_ms: 1000,
  });
  const log = (): readonly string[] =>
    existsSync(`${state}.log`) ? readFileSync(`${state}.log`, "utf8").trim().split("\n") : [];
  return {
    name,
    state,
    files,
    log,
    group: (svol = files.reader): DataGroupConfig => {
      const pair = { provider: "exec", writer: end("writer"), reader: end("reader") } as const;
      return { name, id, writer: "tokyo", reader: "osaka", pvol: files.writer, svol, pair };
    },
    /** States at the writer's end and at the reader's, and the primary end. */
    set: (writer: string, reader: string, primary: "writer" | "reader" = "writer") =>
      writeFileSync(state, `${writer} ${reader} ${primary}\n`),
    is: () => readFileSync(state, "utf8").trim(),
    fault: (fault: Fault | null) => {
      if (fault) writeFileSync(`${state}.fault`, `${fault}\n`);
      else rmSync(`${state}.fault`, { force: true });
    },
    cut: (isCut: boolean) => {
      if (isCut) writeFileSync(`${state}.cut`, "");
      else rmSync(`${state}.cut`, { force: true });
    },
    changes: () => log().filter((line) => line.startsWith("change")),
    /** What never ends is ended. */
    end: () => {
      const pids = existsSync(`${state}.pids`) ? readFileSync(`${state}.pids`, "utf8") : "";
      for (const pid of pids.split("\n").filter(Boolean)) {
        try {
          process.kill(Number(pid), "SIGKILL");
        } catch {
          // it has ended
        }
      }
      two.end();
    },
  };
}

/** osaka's first host, or tokyo's, with these groups. */
export function dataConfig(
  groups: readonly DataGroupConfig[],
  host: "osaka-1" | "tokyo-1" = "osaka-1",
): Config {
  return configFor(host, { dataGroups: groups });
}

const waitLimitMs = 20_000;
export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + waitLimitMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not within ${waitLimitMs} ms: ${what}`);
    await pause(10);
  }
}

export function blockIo(): BlockIo {
  const opened = openBlockIo({ engine: "aio" });
  if (!opened.ok) throw new Error(opened.message);
  return opened.io;
}

const freshTools = (io: BlockIo): DataTools =>
  dataTools(io, realClock.nowMs, () => io.clocks().boottimeNs);

/** The data groups of an agent; a new one is as an agent that was started again. */
export function dataAgent(config: Config, tools: DataTools = freshTools(blockIo())) {
  const news: DataNews[] = [];
  const pairs = dataPairs(config, realClock.nowMs, (input) => news.push(input), tools);
  const answer = async (kind: "data-taken" | "data-checked", begin: () => void) => {
    const before = news.filter((input) => input.kind === kind).length;
    begin();
    const answers = () => news.filter((input) => input.kind === kind);
    await until(`an answer: ${kind}`, () => answers().length > before);
    const [last] = answers().slice(before);
    if (last?.kind !== kind) throw new Error("no answer");
    assert.match(last.detail, /^[\x20-\x7e]+$/, "one line of ASCII");
    return last;
  };
  let term = 514n;
  return {
    pairs,
    news,
    tools,
    take: (verb: TakeData["verb"]) =>
      answer("data-taken", () => pairs.take({ kind: "take-data", term: term++, verb })),
    check: (repair = false) =>
      answer("data-checked", () => pairs.check({ kind: "check-data", term: term++, repair })),
    poll: async () => {
      const before = news.length;
      pairs.queryAll();
      const wanted = config.dataGroups.length;
      await until("each group's state", () => news.length >= before + wanted);
      return news.slice(before) as readonly DataInput[];
    },
  };
}

/** A test with benches that are ended whatever happens. */
export function withBenches(
  name: string,
  names: readonly string[],
  body: (...benches: readonly DataBench[]) => Promise<void>,
): void {
  test(name, async () => {
    const benches = names.map((one, index) => dataBench(one, index + 1));
    try {
      await body(...benches);
    } finally {
      for (const bench of benches) bench.end();
    }
  });
}

export const one = (bench: DataBench | undefined): DataBench => {
  assert.ok(bench);
  return bench as DataBench;
};
