/** `pair signal` on the command line: what needs no agent to be said. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import { pairVerb } from "./pair.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-signal-"));
const configFile = path.join(folder, "mirrorbeat.toml");
const site = (name: string, id: number, role: string): string =>
  `[[sites]]\nname = "${name}"\nid = ${id}\nrole = "${role}"\n` +
  `[[sites.hosts]]\nname = "${name}-1"\nslot = 0\naddress = "127.0.0.1:1778${id}"\n`;
writeFileSync(
  configFile,
  `cluster = "bank"\nhost = "tokyo-1"\nkey_file = "${folder}/authkey"\n` +
    `run_folder = "${folder}/run"\nstate_folder = "${folder}/state"\n` +
    site("tokyo", 1, "production") +
    site("osaka", 2, "standby") +
    '[[mirrors]]\nname = "t-o"\nwriter = "tokyo"\nreader = "osaka"\n' +
    'pvol = "/dev/p"\nsvol = "/dev/s"\nanswer_signals = true\n',
);

const signal = (...args: readonly string[]) =>
  runVerb(pairVerb, ["signal", ...args, "--config", configFile]);

test("without --yes it says what it would do, and for how long", async () => {
  const { code, out } = await signal("t-o");
  assert.is(code, 64);
  assert.match(out, "at most 30 s");
  assert.ok(isConsoleText(out), out);
  const { out: json } = await signal("t-o", "--wait", "7", "--json");
  const { ok, changed, message } = JSON.parse(json);
  assert.equal([ok, changed], [false, false]);
  assert.match(message, "at most 7 s");
});

test("where no agent runs it says so", async () => {
  const { code, err } = await signal("t-o", "--yes");
  assert.is(code, 69);
  assert.match(err, "start it by");
  const { code: same, out } = await signal("t-o", "--yes", "--json");
  assert.equal([same, JSON.parse(out).answered], [69, null]);
});

test("words that do not fit are refused", async () => {
  for (const [args, text] of [
    [["t-o", "--wait", "601"], "1 to 600 seconds"],
    [["t-o", "--wait", "0"], "--wait takes"],
    [["t-o", "--dry-run"], "goes with a change"],
    [[], "needs the name of a mirror"],
    [["t-o", "o-t"], "unexpected 'o-t'"],
  ] as const) {
    const { code, err } = await signal(...args);
    assert.is(code, 64, args.join(" "));
    assert.match(err, text);
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
