// test-limit-seconds: 240
// The search must not be fooled: a mistake is found, what was cut off is no answer, and a trace is
// accepted only if the model can do it. All sizes: `build.sh model`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../testing/core-world.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-model-test-"));

/** Runs lines of a module that has the tooling's exports at hand; what it prints, as JSON. */
function evaluate(lines: string): unknown {
  const file = path.join(folder, "probe.mjs");
  const at = (name: string) => JSON.stringify(path.resolve("src/tooling", name));
  const imports =
    `import { judge, missingProgram, searchCase } from ${at("model-run.mjs")};\n` +
    `import { parseTrace, replay, traceTable } from ${at("model-replay.mjs")};\n` +
    `import { traceOf } from ${at("campaign/traces.mjs")};\n` +
    `const limits = { scratch: ${JSON.stringify(folder)}, memoryMib: 500, limitSeconds: 100 };\n` +
    'const world = { sites: ["tokyo", "osaka"], owner: "tokyo", counter: 1 };\n' +
    "const trace = (list) => list.map(([site, event, term], at) => ({ at, site, event, term }));\n";
  writeFileSync(file, `${imports}console.log(JSON.stringify(await (async () => {${lines}})()));`);
  const ended = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 200_000 });
  assert.is(ended.status, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

const missing = evaluate("return await missingProgram();") as { program: string } | null;
const searching = missing ? test.skip : test;
if (missing) {
  const remedy = `apt-get install -y ${missing.program}`;
  console.log(`skipped: model: ${missing.program} is missing; install it: ${remedy}`);
}

test("what is cut off is no answer", () => {
  const clean = "State-vector 9 byte, depth reached 7, errors: 0\n 12 states, stored\n";
  const found = evaluate(`
    const of = (output, more) => judge({ output, code: 0, timedOut: false, ...more }).found;
    const clean = ${JSON.stringify(clean)};
    return [
      of(clean),
      of("pan:1: assertion violated x (at depth 20)\\n" + clean),
      of(clean, { timedOut: true }),
      of("error: max search depth too small\\n" + clean),
      of("pan: reached -DMEMLIM bound\\n" + clean),
      of("Warning: Search not completed\\n" + clean),
      of(clean, { code: 1 }),
      of(""),
      of("pan:1: invalid end state (at depth 3)\\n" + clean.replace("errors: 0", "errors: 1")),
    ];`);
  const none = "no answer";
  assert.equal(found, ["holds", "violated", none, none, none, none, none, none, none]);
});

test("a trace that is none is refused with its place", () => {
  const faults = evaluate(`
    const fault = (list) => traceTable(trace(list), world).fault;
    return [
      fault([]),
      fault([["tokyo", "active", 257], ["tokyo", "dances", 257]]),
      fault([["kyoto", "active", 257]]),
      fault([["tokyo", "active", 259]]),
      traceTable([{ at: 2, site: "tokyo", event: "down" }, { at: 1, site: "tokyo", event: "down" }], world).fault,
      parseTrace('{"at":1}\\nno').fault,
    ];`);
  assert.equal(faults, [
    "no event at all",
    "event 2: unknown event 'dances'",
    "event 1: unknown site 'kyoto'",
    "event 1: term 259 is out of the trace's terms",
    "event 2: earlier than the one before",
    "line 2 is no JSON",
  ]);
});

searching("a mistake is found, and without it the same search holds", () => {
  const found = evaluate(`
    const search = (name, flags) =>
      searchCase({ name, file: "hosts.pml", flags, search: "breadth" }, limits);
    const [good, bad] = [await search("good", {}), await search("bad", { ONEWAIT: true })];
    const shallow = { name: "shallow", file: "hosts.pml", flags: {}, search: "depth", depth: 10 };
    return [good.found, bad.found, bad.steps > 0, (await searchCase(shallow, limits)).why];`);
  assert.equal(found, ["holds", "violated", true, "search depth too small"]);
});

const before = '["tokyo", "active", 257], ["tokyo", "fenced", 257], ["osaka", "closing", 257],';
searching("a takeover after the stop is accepted", () => {
  const events = `[${before} ["tokyo", "stopped", 257], ["osaka", "raise", 514],
    ["osaka", "active", 514], ["tokyo", "term", 514]]`;
  assert.equal(evaluate(`return await replay(trace(${events}), world, limits);`), {
    accepted: true,
  });
});

searching("two that serve at once are rejected, at the second", () => {
  const events = `[["tokyo", "active", 257], ["osaka", "closing", 257], ["osaka", "raise", 514],
    ["osaka", "active", 514], ["tokyo", "fenced", 257]]`;
  assert.equal(evaluate(`return await replay(trace(${events}), world, limits);`), {
    accepted: false,
    after: 3,
  });
});

searching("a handover gives the term away; the giver does not serve again in it", () => {
  const given = `["tokyo", "active", 257], ["tokyo", "fenced", 257], ["tokyo", "stopped", 257],
    ["tokyo", "handover", 514]`;
  const events = `[${given}, ["osaka", "term", 514], ["osaka", "active", 514]]`;
  const backwards = `[${given}, ["tokyo", "active", 514]]`;
  assert.equal(
    evaluate(`return [await replay(trace(${events}), world, limits),
      await replay(trace(${backwards}), world, limits)];`),
    [{ accepted: true }, { accepted: false, after: 4 }],
  );
});

/** What two sites of one host each told after they came to rest, in virtual time. */
function simulated(faults: (world: World) => void): unknown[] {
  const one = {
    tokyo: ["tokyo-1"],
    osaka: ["osaka-1"],
    policy: "lease",
    takeoverHook: true,
  } as const;
  const world = new World(one);
  world.run(20_000);
  world.agent("tokyo-1").serves(true);
  const fromMs = world.nowMs;
  faults(world);
  return [...world.agents.values()].flatMap(({ name, told }) =>
    told
      .filter(({ atMs }) => atMs >= fromMs)
      .map(({ atMs, event: { ev, fields } }) => {
        const texts = Object.entries(fields).map(([key, value]) => [key, String(value)]);
        const site = name.slice(0, name.indexOf("-"));
        return { site, wallMs: atMs, ev, ...Object.fromEntries(texts) };
      }),
  );
}

searching("what the core does in virtual time, the model can do too", () => {
  const cutAll = (world: World, cut: boolean): void => {
    world.cut(cut);
    for (const link of ["east", "west"]) world.link(link, !cut);
  };
  const runs = [
    simulated((world) => {
      cutAll(world, true);
      world.run(40_000);
      cutAll(world, false);
      world.run(20_000);
    }),
    simulated((world) => {
      world.input("tokyo-1", { kind: "switchover", id: 1, to: "osaka", repair: false } as never);
      world.run(30_000);
      world.input("osaka-1", { kind: "switchover", id: 2, to: "tokyo", repair: false } as never);
      world.run(30_000);
    }),
  ];
  for (const lines of runs) {
    const found = evaluate(`
      const events = traceOf(${JSON.stringify(lines)}, "tokyo", { tokyo: 257, osaka: 257 });
      return { ...(await replay(events, world, limits)), events: events.length };`) as {
      accepted: boolean;
      events: number;
    };
    assert.ok(found.accepted, JSON.stringify(found));
    assert.ok(found.events >= 6, "and it was more than nothing");
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
