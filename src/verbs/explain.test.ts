/** explain: the core's own table, on one line, in sentences, and whole. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { everyEvidence, judgeEvidence, type Row, rules } from "../core/verdict.ts";
import { run } from "../volume/testing/volumes.ts";
import { inputs, tableRows } from "./explain-table.ts";
import { words } from "./explain-why.ts";
import { changesOf, explainVerb } from "./explain.ts";

const explain = (...args: readonly string[]) => run(explainVerb, ...args);
const silent = ["--network", "lost", "--mirror", "stale", "--pair", "paired"] as const;

test("one verdict as JSON, exactly", async () => {
  const ran = await explain(...silent, "--link-proven", "--json");
  assert.is(ran.code, 0);
  assert.is(ran.err, "");
  const line = '{"row":"8","verdict":"host or host-group failure","action":"eligible"}\n';
  assert.is(ran.out, line);
});

test("every option has its effect", async () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["9", silent],
    ["9", [...silent, "--arbiter", "grant"]],
    ["5", [...silent, "--observer", "unfit"]],
    ["0", [...silent, "--last-word", "given-away"]],
    ["0b", [...silent, "--network", "ok", "--last-word", "failed"]],
    ["9", [...silent, "--last-word", "failed"]],
    ["0c", [...silent, "--last-word", "leaving"]],
  ];
  for (const [row, args] of rows) {
    assert.is(JSON.parse((await explain(...args, "--json")).out).row, row);
  }
  const granted = JSON.parse((await explain(...silent, "--arbiter", "grant", "--json")).out);
  assert.is(granted.action, "eligible");
});

test("in sentences: row, verdict, action, why, what would change it, what next", async () => {
  const { out } = await explain(...silent);
  assert.match(out, /^ROW 9 {2}cannot tell link from site\n/);
  for (const word of [
    "action   hold",
    "why      ",
    "--link-proven: row 8, eligible",
    "next     ",
  ]) {
    assert.ok(out.includes(word), word);
  }
  for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  assert.match((await explain(...silent, "--arbiter", "grant")).out, /the other site is fenced/);
  assert.match((await explain(...silent, "--link-proven", "--arbiter", "deny")).out, /denies it/);
});

test("each row has its words, and no line is too long", async () => {
  for (const { row } of rules) assert.ok(words[row as Row].why.length > 20);
  for (const named of everyEvidence().slice(0, 900)) {
    const evidence = { ...named, lastWord: "running" } as const;
    for (const change of changesOf(evidence)) assert.match(change, /^(--|without --).*: row /);
  }
});

test("--all --json: 900 lines, each as the core judges it", async () => {
  const { code, out } = await explain("--all", "--json");
  assert.is(code, 0);
  const lines = out.trim().split("\n");
  assert.is(lines.length, 900);
  lines.forEach((line, at) => {
    const { row, verdict, action, ...named } = JSON.parse(line);
    const keys = ["network", "mirror", "pair", "observer", "linkProven", "arbiter"];
    assert.equal(Object.keys(named), keys);
    assert.is(typeof named.linkProven, "boolean");
    assert.equal(named, { ...everyEvidence()[at] });
    assert.equal({ row, verdict, action }, judgeEvidence({ ...named, lastWord: "running" }));
  });
});

test("the table for people says the same of every combination, once", async () => {
  const names = Object.keys(inputs);
  const rows = tableRows();
  assert.ok(rows.length < 60, `${rows.length} lines`);
  for (const named of everyEvidence()) {
    const chosen: Record<string, string> = {
      ...named,
      linkProven: named.linkProven ? "yes" : "no",
    };
    const matching = rows.filter(({ values }) =>
      values.every(
        (value, at) => value === "-" || value.split(" ").includes(chosen[names[at] ?? ""] ?? ""),
      ),
    );
    assert.is(matching.length, 1);
    assert.equal(matching[0]?.verdict, judgeEvidence({ ...named, lastWord: "running" }));
  }
  const { out } = await explain("--all");
  for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
});

test("bad input: one line, exit 64, the allowed values", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /--network is missing: one of ok, lost, disabled/],
    [["--network", "maybe"], /--network maybe: must be one of ok, lost, disabled/],
    [["--network", "ok", "--mirror", "dead"], /one of ok, stale, corrupt, io-error, disabled/],
    [["--network", "ok", "--mirror", "ok"], /--pair is missing: one of paired, copying/],
    [[...silent, "--observer", "x"], /one of fit, unfit/],
    [[...silent, "--arbiter", "x"], /one of none, grant, deny/],
    [[...silent, "--last-word", "x"], /one of running, failed, leaving, given-away/],
    [["--all", "--network", "ok"], /--all takes no evidence/],
    [["extra"], /what is extra/],
    [["--nonsense"], /nonsense/],
  ];
  for (const [args, message] of cases) {
    const ran = await explain(...args);
    assert.is(ran.code, 64, args.join(" "));
    assert.is(ran.out, "");
    assert.match(ran.err, /^mirrorbeat explain: [^\n]*\n$/);
    assert.match(ran.err, message);
  }
});

test("--help fits the screen", async () => {
  const { code, out } = await explain("--help");
  assert.is(code, 0);
  for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
});

test.run();
