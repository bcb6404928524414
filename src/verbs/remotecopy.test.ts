// test-limit-seconds: 120
/** The verb as a process of its own: ready, commanded, killed half-way, started again, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { remotecopyVerb } from "./remotecopy.ts";

const limitMs = 15_000;
const blocks = 64;
const blockBytes = 4096;

/** This very file, run with these words, is the program. */
const childWord = "as-program";

type Run = { readonly code: number; readonly out: string; readonly err: string };

async function run(...args: readonly string[]): Promise<Run> {
  let [out, err] = ["", ""];
  const code = await remotecopyVerb(args, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: {},
  });
  return { code, out, err };
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class Stage {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-verb-"));
  readonly control = path.join(this.folder, "run", "copy.sock");
  private readonly children: ChildProcess[] = [];

  file(name: string, content: Buffer): string {
    const file = path.join(this.folder, name);
    const bytes = Buffer.alloc(blocks * blockBytes);
    content.copy(bytes);
    writeFileSync(file, bytes);
    return file;
  }

  /** File 3 of the child is a pipe, for --ready-fd. */
  start(...args: readonly string[]) {
    const child = spawn(process.execPath, [__filename, childWord, ...args], {
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    this.children.push(child);
    const said = { out: "", err: "", ready: "" };
    child.stdout?.on("data", (data) => (said.out += data));
    child.stderr?.on("data", (data) => (said.err += data));
    child.stdio[3]?.on("data", (data) => (said.ready += data));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    return { child, said, ended };
  }

  async view(): Promise<Record<string, unknown>> {
    const { out } = await run("--control", this.control, "query", "--json");
    return out === "" ? {} : (JSON.parse(out) as Record<string, unknown>);
  }

  end(): void {
    for (const child of this.children) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function withStage(body: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = new Stage();
  try {
    await body(stage);
  } finally {
    stage.end();
  }
}

const filled = (fill: number) => Buffer.alloc(blocks * blockBytes, fill);
const equal = (one: string, other: string) => readFileSync(one).equals(readFileSync(other));

test("help says what it is for, and fits 80 columns; wrong words are 64", async () => {
  const { code, out } = await run("--help");
  assert.is(code, 0);
  assert.match(out, "for trying");
  assert.match(out, "cannot hold a writer back");
  assert.ok(out.split("\n").every((line) => line.length <= 79));
  const wrong: readonly (readonly string[])[] = [
    [],
    ["a", "b"],
    ["--control", "s"],
    ["--control", "s", "a"],
    ["--control", "s", "a", "b", "c"],
    ["--control", "s", "a", "b", "--lag", "x"],
    ["--control", "s", "a", "b", "--lag", "60001"],
    ["--control", "s", "a", "b", "--scan", "0"],
    ["--control", "s", "a", "b", "--nonsense"],
    ["--control", "s", "lag"],
    ["--control", "s", "lag", "-5"],
    ["--control", "s", "lag", "5", "6"],
    ["--control", "s", "cut", "5"],
    ["--control", "x".repeat(200), "query"],
  ];
  for (const args of wrong) {
    const result = await run(...args);
    assert.is(result.code, 64, args.join(" "));
    assert.is(result.err.split("\n").length, 2, "one line");
  }
  assert.is((await run("--control", "/nonexistent/s", "query")).code, 69);
});

test("it says when it is paired, obeys, and stops in order by command and by signal", () =>
  withStage(async (stage) => {
    const [pvol, svol] = [stage.file("p", filled(1)), stage.file("s", Buffer.alloc(0))];
    const copy = [pvol, svol, "--control", stage.control, "--ready-fd", "3"];
    const first = stage.start(...copy);
    await until("ready", () => first.said.ready === "ready\n");
    assert.match(first.said.out, /^paired: \S+ -> \S+, 64 blocks, control \S+\n$/);
    assert.ok(equal(pvol, svol));
    for (const [words, wanted] of [
      [["split"], /^state {5}suspended-by-operator/],
      [["resync"], /^state/],
      [["lag", "20"], /lag 20 ms/],
      [["tear", "1"], /^state/],
      [["cut"], /link {6}cut/],
      [["heal"], /link {6}up/],
    ] as const) {
      const result = await run("--control", stage.control, ...words);
      assert.is(result.code, 0, result.err);
      assert.match(result.out, wanted);
    }
    const refused = await run("--control", stage.control, "create", "--json");
    assert.is(refused.code, 75);
    assert.match(refused.out, '"wrong-state"');
    assert.is((await run("--control", stage.control, "stop")).code, 0);
    assert.is(await first.ended, 0);
    assert.not(existsSync(stage.control));

    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const next = stage.start(...copy, "--json");
      await until("ready", () => next.said.ready === "ready\n");
      assert.is(JSON.parse(next.said.out).state, "paired");
      next.child.kill(signal);
      assert.is(await next.ended, 0);
      assert.not(existsSync(stage.control));
    }
  }));

test("a second copy on the same SVOL or socket is refused; nothing changes for the first", () =>
  withStage(async (stage) => {
    const [pvol, svol] = [stage.file("p", filled(1)), stage.file("s", Buffer.alloc(0))];
    const first = stage.start(pvol, svol, "--control", stage.control);
    await until("paired", async () => (await stage.view())["state"] === "paired");
    const sameVolume = stage.start(pvol, svol, "--control", `${stage.control}2`);
    assert.is(await sameVolume.ended, 75);
    assert.match(sameVolume.said.err, "another remote copy");
    const other = stage.file("other", Buffer.alloc(0));
    const sameSocket = stage.start(pvol, other, "--control", stage.control);
    assert.is(await sameSocket.ended, 75);
    assert.is((await stage.view())["state"], "paired");
    assert.is(first.child.exitCode, null);
    assert.is(await stage.start(pvol, pvol, "--control", `${stage.control}3`).ended, 64);
    assert.is(await stage.start("/nonexistent", svol, "--control", `${stage.control}4`).ended, 66);
  }));

test("killed in mid-copy, started again: the same end", () =>
  withStage(async (stage) => {
    const magic = Buffer.from("MBVOLUME");
    const pvol = stage.file("p", Buffer.concat([magic, filled(5).subarray(magic.length)]));
    const svol = stage.file("s", magic);
    for (let round = 0; round < 3; round++) {
      const killed = stage.start(pvol, svol, "--control", stage.control, "--tear", "1");
      await until("half-way", async () => {
        const { state, copiedBlocks } = await stage.view();
        return state === "copying" && Number(copiedBlocks) >= 5;
      });
      killed.child.kill("SIGKILL");
      await killed.ended;
      assert.not(equal(pvol, svol));
    }
    const last = stage.start(pvol, svol, "--control", stage.control);
    await until("paired", async () => (await stage.view())["state"] === "paired");
    assert.ok(equal(pvol, svol));
    assert.is(last.child.exitCode, null);
  }));

test("garbage on the control socket changes nothing", () =>
  withStage(async (stage) => {
    const [pvol, svol] = [stage.file("p", filled(1)), stage.file("s", Buffer.alloc(0))];
    const copy = stage.start(pvol, svol, "--control", stage.control);
    await until("paired", async () => (await stage.view())["state"] === "paired");
    const { lastCopyAgoMs: _, ...before } = await stage.view();
    const garbage = [
      "\n\n", "split\n", '"split"\n', '{"command":"splits"}\n', '{"command":["split"]}\n',
      '{"command":"lag","ms":1e9}\n', '{"command":"split","x":1}\n', "\0\xff{", "x".repeat(200_000),
    ]; // biome-ignore format: one list
    for (const text of garbage) {
      await new Promise<void>((resolve) => {
        const socket = net.connect(stage.control, () => socket.end(Buffer.from(text, "latin1")));
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.resume();
      });
    }
    const { lastCopyAgoMs: __, ...after } = await stage.view();
    assert.equal(after, before);
    assert.is(copy.child.exitCode, null);
  }));

if (process.argv[2] === childWord) {
  const io = {
    out: (text: string) => void process.stdout.write(text),
    err: (text: string) => void process.stderr.write(text),
    env: process.env,
  };
  void remotecopyVerb(process.argv.slice(3), io).then((code) => {
    process.exitCode = code; // and an end of its own: nothing may keep it
  });
} else test.run();
