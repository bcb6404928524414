import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runVerb } from "../testing/verb-run.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { keyIdText, loadKeys } from "../host/key-file.ts";
import { keyVerb } from "./key.ts";

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => runVerb(keyVerb, args, env);

const newFolder = () => mkdtempSync(path.join(os.tmpdir(), "mb-key-verb-"));
const signingId = (file: string): string => {
  const loaded = loadKeys(file);
  return loaded.ok ? keyIdText(loaded.keys.signing.id) : "";
};

async function twoKeys() {
  const folder = newFolder();
  const [file, fresh] = [path.join(folder, "authkey"), path.join(folder, "new.key")];
  await run(["generate", "--out", file]);
  await run(["generate", "--out", fresh]);
  return { file, fresh, oldId: signingId(file), newId: signingId(fresh) };
}

test("generate makes a file of mode 0600 with one key, and never overwrites", async () => {
  const file = path.join(newFolder(), "authkey");
  const made = await run(["generate", "--out", file]);
  assert.is(made.code, exitCodes.ok);
  assert.is(statSync(file).mode & 0o777, 0o600);
  const before = readFileSync(file, "utf8");
  const again = await run(["generate", "--out", file]);
  assert.is(again.code, exitCodes.cannotCreate);
  assert.is(again.err, `refused: ${file}: not written: it exists; it is never overwritten\n`);
  assert.is(readFileSync(file, "utf8"), before);
});

test("the sequence that help describes changes the key", async () => {
  const { file, fresh, oldId, newId } = await twoKeys();
  const added = await run(["add", "--from", fresh, "--file", file]);
  assert.match(added.out, new RegExp(`^done: key ${newId} is accepted\\n`));
  assert.match(
    added.out,
    `next: once every host lists ${newId}: mirrorbeat key promote ${newId}\n`,
  );
  assert.is(signingId(file), oldId);
  const promoted = await run(["promote", newId, "--file", file]);
  assert.match(promoted.out, `mirrorbeat key retire ${oldId}\n`);
  assert.is(signingId(file), newId);
  assert.is((await run(["retire", oldId, "--file", file])).code, exitCodes.ok);
  const loaded = loadKeys(file);
  assert.is(loaded.ok && loaded.keys.accepted.length, 0);
  assert.is(statSync(file).mode & 0o777, 0o600);
});

test("each step may be repeated; steps out of order are refused", async () => {
  const { file, fresh, oldId, newId } = await twoKeys();
  assert.is((await run(["promote", newId, "--file", file])).code, exitCodes.noInput);
  assert.is((await run(["retire", oldId, "--file", file])).code, exitCodes.noPermission);
  for (let times = 0; times < 2; times += 1) {
    assert.is((await run(["add", "--from", fresh, "--file", file])).code, exitCodes.ok);
  }
  assert.is((await run(["retire", oldId, "--file", file])).code, exitCodes.noPermission);
  assert.is((await run(["retire", newId, "--file", file])).code, exitCodes.noPermission);
  for (let times = 0; times < 2; times += 1) {
    const { code, out } = await run(["promote", newId, "--file", file]);
    assert.is(code, exitCodes.ok);
    assert.match(out, times === 0 ? `key ${newId} signs\n` : `key ${newId} signs already\n`);
  }
  const third = path.join(newFolder(), "third.key");
  await run(["generate", "--out", third]);
  assert.is((await run(["add", "--from", third, "--file", file])).code, exitCodes.tryLater);
});

test("no output ever shows a secret", async () => {
  const { file, fresh, newId } = await twoKeys();
  const secrets = [file, fresh].map(
    (each) => /[0-9a-f]{64}/.exec(readFileSync(each, "utf8"))?.[0] ?? "",
  );
  const outputs = [
    await run(["list", "--file", file]),
    await run(["list", "--file", file, "--json"]),
    await run(["add", "--from", fresh, "--file", file]),
    await run(["promote", newId, "--file", file, "--json"]),
  ];
  writeFileSync(file, readFileSync(file, "utf8").replace(/.\n$/, "\n"));
  outputs.push(await run(["list", "--file", file]));
  assert.is(outputs.at(-1)?.code, exitCodes.dataError);
  for (const { out, err } of outputs) {
    for (const secret of secrets) {
      assert.is(secret.length, 64);
      assert.not.match(out + err, secret.slice(0, 60));
    }
  }
});

test("list tells ids, states and ages, in JSON too", async () => {
  const { file, oldId } = await twoKeys();
  const { out } = await run(["list", "--file", file, "--json"]);
  const object = JSON.parse(out);
  assert.is(object.schema, 1);
  assert.is(object.keys[0].id, oldId);
  assert.is(object.keys[0].state, "active");
  assert.ok(object.keys[0].ageSeconds < 60);
  const text = (await run(["list", "--file", file])).out;
  assert.match(text, new RegExp(`^ok: key ${oldId} signs\\nfile: .*\\nSTATE +ID +CREATED +AGE\\n`));
});

test("the key file comes from the configuration, wherever it is read", async () => {
  const folder = newFolder();
  const file = path.join(folder, "authkey");
  const config = path.join(folder, "m.toml");
  const text = readFileSync("fixtures/config/good.toml", "utf8").replace('host = "ctl-a1"\n', "");
  writeFileSync(config, `key_file = "${file}"\n${text}`);
  assert.is((await run(["generate", "--config", config])).code, exitCodes.ok);
  assert.ok(existsSync(file));
  assert.is((await run(["list"], { MIRRORBEAT_CONFIG: config })).code, exitCodes.ok);
  writeFileSync(config, "cluster = 1\n");
  const broken = await run(["list", "--config", config]);
  assert.is(broken.code, exitCodes.config);
  assert.match(broken.err, /^refused: .*m\.toml: .*or give --file\n$/);
});

test("a refusal is one line on stderr, or one object", async () => {
  const { file } = await twoKeys();
  chmodSync(file, 0o644);
  const { code, out, err } = await run(["list", "--file", file]);
  assert.is(code, exitCodes.noPermission);
  assert.is(out, "");
  assert.is(err, `refused: ${file}: mode 0644: others may read or change it; chmod 600 ${file}\n`);
  const object = JSON.parse((await run(["list", "--file", file, "--json"])).out);
  assert.is(object.code, exitCodes.noPermission);
  assert.is((await run(["list", "--file", "/nowhere"])).code, exitCodes.noInput);
});

test("a wrong command line is one line and 64; help is on stdout", async () => {
  const wrong = [
    [],
    ["show"],
    ["add"],
    ["retire"],
    ["retire", "xyz"],
    ["promote", "1234567"],
    ["list", "more"],
    ["list", "--out", "x"],
    ["list", "--force"],
    ["generate", "--from", "x"],
    ["list", "--secret"],
  ];
  for (const args of wrong) {
    const { code, err } = await run(args);
    assert.is(code, exitCodes.usage, args.join(" "));
    assert.match(err, /^mirrorbeat key: [^\n]+; see: mirrorbeat key --help\n$/);
  }
  const { out } = await run(["--help"]);
  assert.ok(out.split("\n").every((line) => /^[\x20-\x7e]{0,80}$/.test(line)));
});

test.run();
