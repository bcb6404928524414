/** Scenario files as files: what is wrong in one is named by its line, and only outputs are rewritten. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { setupNamed } from "../setups.ts";
import { runScript, scriptFaultText } from "./run-script.ts";

const told = async (text: string): Promise<readonly string[]> =>
  (await runScript(text, "a.txt")).faults.map(scriptFaultText);

const wrongLines: readonly (readonly [string, RegExp])[] = [
  ["run", /^a.txt:2: run: "": give a number and a unit/],
  ["run 20", /^a.txt:2: run: "20": give a number and a unit/],
  ["runn 20s", /^a.txt:2: command: "runn": commands are setup, run, until/],
  ["toString", /^a.txt:2: command: "toString": commands are/],
  ["setup pair", /^a.txt:2: setup: "pair": one file has one set-up/],
  ["begin", /^a.txt:2: begin: "": begin FAULT TARGET/],
  ["begin way-cutt a>b", /^a.txt:2: fault: "way-cutt": faults are .*way-cut, /],
  [
    "begin way-cut tokyo",
    /^a.txt:2: target: "tokyo": targets of way-cut are tokyo>osaka, osaka>tokyo/,
  ],
  ["begin way-cut tokyo>osaka for 3", /^a.txt:2: for: "3": give a number and a unit/],
  ["begin way-cut tokyo>osaka now", /^a.txt:2: begin: "now": one target/],
  ["end way-cut kyoto>osaka", /^a.txt:2: target: "kyoto>osaka": targets of/],
  ["until osaka serves", /^a.txt:2: within: "": give a number and a unit/],
  ["expect osaka-3 tokyo row 1", /^a.txt:2: host: "osaka-3": hosts are tokyo-1, osaka-1/],
  ["expect osaka-1 kyoto row 1", /^a.txt:2: name: "kyoto": sites are tokyo, osaka; hosts are/],
  ["expect osaka-1 tokyo row 12", /^a.txt:2: row: "12": the verdict table has 0 0b/],
  ["expect osaka-1 tokyo row 9 wait", /^a.txt:2: action: "wait": actions are/],
  ["expect osaka-1 is asleep", /^a.txt:2: role: "asleep": roles are/],
  ["expect all well", /^a.txt:2: condition: "all well": conditions are/],
  ["expect pair north is paired", /^a.txt:2: pair: "north": pairs are east, west/],
  ["command osaka-1 takeover --now", /^a.txt:2: command: "takeover --now": an operator's/],
  ["status osaka", /^a.txt:2: host: "osaka": hosts are/],
];

test("what is wrong in a file is told with its line, and nothing is run", async () => {
  for (const [line, expected] of wrongLines) {
    const faults = await told(`setup pair\n${line}\n`);
    assert.is(faults.length, 1, line);
    assert.match(faults[0] ?? "", expected);
  }
  const { virtualMs, ok, text } = await runScript("setup pair\nrun\n", "a.txt");
  assert.equal([virtualMs, ok, text], [0, false, "setup pair\nrun\n"]);
});

const wrongSetups: readonly (readonly [string, RegExp])[] = [
  ["", /^a.txt:1: setup: "": the first command is setup NAME/],
  ["run 1s", /^a.txt:1: setup: "run": the first command is setup NAME/],
  ["setup", /^a.txt:1: setup: "": name a set-up/],
  ["setup moon", /^a.txt:1: setup: "moon": set-ups are pair, /],
  ["setup config", /^a.txt:1: setup: "config": give your configuration with --config FILE/],
  ["setup pair warm", /^a.txt:1: setup: "warm": after the name: cold, seed=N/],
  ["setup pair timing.poll=1", /^a.txt:1: timing.poll: "1": timings are interval_ms, /],
  ["setup pair timing.poll_ms=x", /^a.txt:1: timing.poll_ms: "x": give a whole number/],
  ["setup pair timing.poll_ms=1", /^a.txt:1: timing pollMs: "1": .*poll >= 10 ms/],
  ["setup pair beacon=osaka-7", /^a.txt:1: setup: "osaka-7": hosts are tokyo-1, osaka-1/],
];

test("what is wrong with a set-up is told too", async () => {
  for (const [line, expected] of wrongSetups) {
    const [fault = "none"] = await told(line);
    assert.match(fault, expected);
  }
});

const source = `# A story.
setup pair

   # kept  as it is\t
  run   1s
----
anything
+1s is written anew

begin way-cut tokyo>osaka for 1s
expect nobody serves
expect   no alarm
run 10s
end way-cut
----
`;

test("only outputs are rewritten; what was not met is told, and the run goes on", async () => {
  const outcome = await runScript(source, "a.txt");
  assert.equal(outcome.faults.map(scriptFaultText), [
    'a.txt:11: not met: "expect nobody serves": tokyo serves',
    'a.txt:14: not met: "end way-cut": no such fault is there now: it never began, or ended by itself',
  ]);
  const output = "tokyo serves; term 257; tokyo-1: osaka row 1; osaka-1: tokyo row 1";
  const [head = "", tail = ""] = source.split("anything\n+1s is written anew\n");
  const fault = "+1.0s   fault   way-cut tokyo>osaka ends";
  assert.is(outcome.text, `${head}${output}\n${tail}${fault}\n${output}\n`.replace(/\n$/, "\n"));
  assert.not.ok(outcome.ok);
  assert.not.ok(outcome.isUpToDate);
  assert.ok((await runScript(outcome.text, "a.txt")).isUpToDate, "twice the same");
});

test("a configuration of one's own, and a checker's finding in the transcript", async () => {
  const config = setupNamed("pair-operator")?.config ?? null;
  const complains = {
    name: "complains",
    words: "a service",
    make: (_world: unknown, _log: unknown, report: (text: string) => void) => ({
      watch: ({ kind }: { readonly kind: string }) => {
        if (kind === "service") report("it runs");
      },
    }),
  };
  const text = "setup config cold seed=3\nrun 10s\n----\n";
  const outcome = await runScript(text, "a.txt", { config, checkers: [complains] });
  assert.equal(outcome.faults, []);
  assert.not.ok(outcome.ok);
  assert.match(outcome.text, /^\+\d\.\ds +!! +complains: it runs$/m);
});

test.run();
