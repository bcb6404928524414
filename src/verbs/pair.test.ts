// test-limit-seconds: 180
/** The verb beside an embedded copy, in this process; and where there is none, or another one. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { noDevices } from "../core/base/devices.ts";
import { deviceFileName, deviceFileText } from "../host/device-file.ts";
import type { JsonObject } from "../host/json-lines.ts";
import { runCopy } from "../remotecopy/embedded/serve.ts";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import { pairVerb } from "./pair.ts";

const limitMs = 15_000;
const blockBytes = 4096;

const configText = (folder: string, more: string, installed: boolean) => `cluster = "bank"
key_file = "${folder}/authkey"
run_folder = "${folder}/run"
state_folder = "${folder}/state"
[[sites]]
name = "tokyo"
id = 1
role = "production"
[[sites.hosts]]
name = "t1"
slot = 0
address = "127.0.0.1:17789"
[[sites]]
name = "osaka"
id = 2
role = "standby"
[[sites.hosts]]
name = "o1"
slot = 0
address = "127.0.0.1:17790"
[[mirrors]]
name = "t-o"
writer = "tokyo"
reader = "osaka"
pvol = "${folder}/pvol"
svol = "${folder}/svol"
installed = ${installed}
[mirrors.pair]
provider = "embedded"
control = "${folder}/copy.sock"
query_limit_ms = 2000
${more}
[[mirrors]]
name = "o-t"
writer = "osaka"
reader = "tokyo"
pvol = "${folder}/pvol2"
svol = "${folder}/svol2"
`;

type Stage = {
  readonly folder: string;
  /** At the host of tokyo, which is the writer of t-o; or at another. */
  readonly pair: (...args: readonly string[]) => ReturnType<typeof runVerb>;
  readonly at: (host: string, ...args: readonly string[]) => ReturnType<typeof runVerb>;
  readonly json: (...args: readonly string[]) => Promise<JsonObject & { readonly code: number }>;
};

async function withStage(
  { more = "", copy = true, tearMs = 0, blocks = 16, installed = false },
  body: (stage: Stage) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-pair-"));
  const config = path.join(folder, "mirrorbeat.toml");
  writeFileSync(config, configText(folder, more, installed));
  const [pvol, svol] = [path.join(folder, "pvol"), path.join(folder, "svol")];
  for (const [file, fill] of [[pvol, 1], [svol, 0]] as const) {
    writeFileSync(file, Buffer.alloc(blocks * blockBytes, fill));
    truncateSync(file, blocks * blockBytes);
  } // biome-ignore format: two rows
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const running = copy
    ? runCopy(
        {
          control: path.join(folder, "copy.sock"), pvol, svol, tearMs, scanMs: 5, lagMs: 0,
          linkTimeoutMs: 200, autoResync: false, force: true, simplex: true,
          onState: () => undefined, onFault: (error) => assert.unreachable(String(error)),
        },
        stopped,
      ) // biome-ignore format: a list
    : Promise.resolve();
  const at = async (host: string, ...args: readonly string[]) => {
    const result = await runVerb(pairVerb, [...args, "--config", config, "--host", host]);
    const short = result.out.replaceAll(folder, "/f");
    assert.ok(args.includes("--json") || isConsoleText(short), short);
    assert.ok(/^[\x20-\x7e\n]*$/.test(result.err), result.err);
    return result;
  };
  const pair = (...args: readonly string[]) => at("t1", ...args);
  const json: Stage["json"] = async (...args) => {
    const { code, out } = await pair(...args, "--json");
    const value = JSON.parse(out) as JsonObject;
    assert.is(value["schema"], 1);
    assert.is(value["ok"], code === 0);
    return { ...value, code };
  };
  try {
    const endMs = performance.now() + limitMs;
    while (copy && (await pair("query", "t-o")).code === 69) {
      assert.ok(performance.now() < endMs, "the copy answers");
    }
    await body({ folder, pair, at, json });
  } finally {
    stop();
    await running;
    rmSync(folder, { recursive: true, force: true });
  }
}

const stateOf = async ({ json }: Stage): Promise<unknown> => {
  const { answer } = (await json("query", "t-o")) as { answer?: { local?: { state?: string } } };
  return answer?.local?.state;
};

test("the life of a pair, each step shown first, then done", () =>
  withStage({}, async (stage) => {
    const { pair } = stage;
    const shown = await pair("create", "t-o");
    assert.is(shown.code, 64);
    assert.match(shown.out, /^NOTHING WAS CHANGED: --yes does it\n/);
    assert.match(shown.out, /\n {2}mirrorbeat remotecopy --control \S+ create\n/);
    assert.match(shown.out, /next: mirrorbeat pair create t-o --yes\n$/);
    assert.is(await stateOf(stage), "simplex");
    const dry = await pair("create", "t-o", "--dry-run");
    assert.is(dry.code, 0);
    assert.is(await stateOf(stage), "simplex");
    const made = await pair("create", "t-o", "--yes", "--wait", "10");
    assert.is(made.code, 0, made.out);
    assert.match(made.out, /^DONE: create of t-o: paired, primary/);
    assert.is((await pair("create", "t-o", "--yes")).code, 0, "nothing to do");
    const list = await pair("list");
    assert.match(list.out, /^1 of 2 mirrors paired in their own direction\n/);
    assert.match(list.out, /t-o \(tokyo -> osaka\), here its writer, embedded/);
    assert.match(list.out, /no provider/);
    assert.match((await stage.at("o1", "query", "t-o")).out, /^PAIRED: .*here its reader\n/);
    const both = await pair("query", "t-o", "--remote");
    assert.match(both.out, / other end paired, secondary/);
    assert.is((await pair("split", "t-o", "--yes")).code, 0);
    assert.is((await pair("create", "t-o", "--yes")).code, 75, "wrong state");
    assert.is((await pair("resync", "t-o", "--yes", "--wait", "10")).code, 0);
    assert.is(await stateOf(stage), "paired");
    assert.is((await pair("remove", "t-o", "--yes")).code, 0);
    assert.is(await stateOf(stage), "simplex");
  }));

test("swap and takeover need --force, and say what they risk", () =>
  withStage({}, async (stage) => {
    const { pair, at } = stage;
    await pair("create", "t-o", "--yes", "--wait", "10");
    for (const [host, verb] of [["t1", "swap"], ["o1", "takeover"]] as const) {
      const shown = await at(host, verb, "t-o");
      assert.is(shown.code, 64);
      assert.match(shown.out, /NEEDS --force: heartbeat pairs are never/);
      assert.match(shown.out, /--yes --force\n$/);
      const refused = await at(host, verb, "t-o", "--yes");
      assert.is(refused.code, 107);
      assert.match(refused.err, /nothing was changed/);
      assert.is(await stateOf(stage), "paired");
    } // biome-ignore format: two rows
    const swapped = await at("o1", "swap", "t-o", "--yes", "--force");
    assert.is(swapped.code, 0, swapped.out);
    assert.match(swapped.err, /RISK ACCEPTED/);
    assert.match((await pair("query", "t-o")).out, /^PAIRED THE OTHER WAY ROUND/);
    assert.match((await pair("list")).out, /^0 of 2 mirrors/);
    await at("t1", "swap", "t-o", "--yes", "--force");
    assert.is((await at("o1", "takeover", "t-o", "--yes", "--force")).code, 0);
    assert.match((await at("o1", "query", "t-o")).out, /^TAKEOVER/);
    assert.is((await at("t1", "resync", "t-o", "--yes", "--force")).code, 75, "it was taken over");
  }));

test("still copying: 75 at once, 75 when the waiting is over, 0 when it is paired", () =>
  withStage({ tearMs: 20, blocks: 16 }, async ({ pair, json }) => {
    const begun = await json("create", "t-o", "--yes");
    assert.is(begun.code, 75);
    assert.is(begun["kind"], "in-progress");
    assert.is((await pair("create", "t-o", "--yes", "--wait", "1")).code, 75);
    const waited = await pair("create", "t-o", "--yes", "--wait", "30");
    assert.is(waited.code, 0, waited.out);
  }));

test("another volume, or none configured: refused with the line to add", () =>
  withStage({ more: '[mirrors.pair.writer]\nidentity = "411001/1a01"' }, async (stage) => {
    const refused = await stage.pair("create", "t-o", "--yes");
    assert.is(refused.code, 77);
    assert.match(refused.out, /^REFUSED: .*411001\/1a01 is configured/s);
    assert.is(await stateOf(stage), "simplex");
    assert.is((await stage.pair("query", "t-o")).code, 77);
  }));

test("nobody there: 69, and nothing is concluded", () =>
  withStage({ copy: false }, async ({ pair, json }) => {
    const asked = await pair("query", "t-o");
    assert.is(asked.code, 69);
    assert.match(asked.out, /^NOT KNOWN: t-o/);
    assert.is((await pair("split", "t-o", "--yes")).code, 69);
    assert.is((await pair("list")).code, 0);
    const { mirrors } = (await json("list")) as { mirrors?: readonly JsonObject[] };
    assert.is(mirrors?.length, 2);
    assert.is((await pair("query", "o-t")).code, 78, "no provider");
  }));

test("one change of one mirror at a time", () =>
  withStage({ tearMs: 20, blocks: 12 }, async ({ pair, folder }) => {
    await pair("create", "t-o", "--yes");
    const waiting = pair("resync", "t-o", "--yes", "--wait", "30");
    const second = await pair("split", "t-o", "--yes");
    assert.is(second.code, 75);
    assert.match(second.err, "another change of t-o");
    assert.is((await waiting).code, 0);
    assert.is(readFileSync(path.join(folder, "run", "pair-t-o.lock")).length, 0);
  }));

test("an installed mirror: its split says what becomes of the path, its removal needs --force", () =>
  withStage({}, async ({ pair, folder }) => {
    await pair("create", "t-o", "--yes", "--wait", "10");
    rmSync(path.join(folder, "state"), { recursive: true, force: true });
    writeFileSync(path.join(folder, "state"), ""); // what cannot be read proves nothing
    const split = await pair("split", "t-o");
    assert.match(
      split.out.replaceAll("\n  ", " "),
      /with none it is `unknown` \(row 7\); never an alarm/,
    );
    const removed = await pair("remove", "t-o", "--yes");
    assert.is(removed.code, 107);
    assert.match(removed.err, "deinstall");
    assert.is((await pair("remove", "t-o", "--yes", "--force")).code, 0);
  }));

test("no device address file yet: installed is what the configuration calls so", () =>
  withStage({ installed: true }, async ({ pair, folder }) => {
    await pair("create", "t-o", "--yes", "--wait", "10");
    const removed = await pair("remove", "t-o", "--yes");
    assert.is(removed.code, 107);
    assert.match(removed.err, "deinstall");
    mkdirSync(path.join(folder, "state"), { recursive: true });
    writeFileSync(path.join(folder, "state", deviceFileName), deviceFileText(noDevices));
    assert.is((await pair("remove", "t-o", "--yes")).code, 0, "a file without it");
  }));

test("a wrong command line is one line and 64", async () => {
  for (const args of [
    [], ["lists"], ["query"], ["list", "x"], ["query", "a", "b"], ["query", "a", "--yes"],
    ["split", "a", "--remote"], ["split", "a", "--wait", "0"], ["split", "a", "--wait", "soon"],
    ["split", "a", "--yes", "--dry-run"], ["split", "--nothing"],
  ]) {
    const { code, out, err } = await runVerb(pairVerb, args);
    assert.is(code, 64, args.join(" "));
    assert.is(out, "");
    assert.is(err.split("\n").length, 2, err);
  } // biome-ignore format: a list
  const help = await runVerb(pairVerb, ["--help"]);
  assert.is(help.code, 0);
  assert.ok(isConsoleText(help.out));
});

test.run();
