import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exitCodes } from "../core/base/exit-codes.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import {
  changeKeys,
  generateKey,
  type Key,
  type KeyChange,
  keyFileText,
  keyIdOf,
  keyIdText,
  keySetOf,
  loadKeys,
  macWith,
  parseKeyFile,
  readKeyFile,
} from "./key-file.ts";
import { watchKeys } from "./key-watch.ts";

const now = new Date("2026-11-22T07:31:04.123Z");
const newFile = (text: string, mode = 0o600): string => {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), "mb-key-")), "authkey");
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
};
const as = (key: Key, state: Key["state"]): Key => ({ ...key, state });
const one = generateKey(now);
const two = as(generateKey(now), "accepted");
const three = generateKey(now);

function refusalOf(file: string): { readonly code: number; readonly message: string } {
  const read = loadKeys(file);
  return read.ok ? { code: 0, message: "" } : read.refusal;
}

test("a key's id is the hash of its secret, the same everywhere", () => {
  // Known answer, by another implementation of SHA-256 over the label, a zero byte and the secret.
  const secret = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
  assert.is(keyIdText(keyIdOf(secret)), "73cdb7e7");
  assert.is(one.secret.length, 32);
  assert.is(one.created, "2026-11-22T07:31:04Z");
  assert.not.equal(one.secret, two.secret);
});

test("a file is read as it was written, comments and blank lines aside", () => {
  const file = newFile(`\n# note\n${keyFileText([one, two])}\r\n  # end\n`);
  assert.equal(readKeyFile(file), { ok: true, keys: [one, two] });
  const loaded = loadKeys(file);
  assert.ok(loaded.ok);
  if (!loaded.ok) return;
  assert.equal(loaded.keys.signing, { id: one.id, secret: one.secret });
  assert.equal(loaded.keys.accepted, [{ id: two.id, secret: two.secret }]);
});

test("the MAC is HMAC-SHA256 cut to 16 bytes, and null for a key that is not held", () => {
  const mac = macWith(keySetOf([one, two]));
  const bytes = Buffer.from("record");
  for (const key of [one, two]) {
    const expected = createHmac("sha256", key.secret).update(bytes).digest().subarray(0, 16);
    assert.equal(Buffer.from(mac(key.id, bytes) ?? []), expected);
  }
  assert.is(mac(three.id, bytes), null);
});

test("a file that others may read or write is refused with the remedy", () => {
  for (const mode of [0o640, 0o604, 0o620, 0o660, 0o666, 0o601]) {
    const file = newFile(keyFileText([one]), mode);
    const octal = mode.toString(8).padStart(4, "0");
    assert.equal(refusalOf(file), {
      code: exitCodes.noPermission,
      message: `${file}: mode ${octal}: others may read or change it; chmod 600 ${file}`,
    });
  }
  assert.ok(loadKeys(newFile(keyFileText([one]), 0o400)).ok);
});

test("what is no regular file is refused and never waited for", () => {
  const real = newFile(keyFileText([one]));
  const link = `${real}.link`;
  symlinkSync(real, link);
  assert.is(refusalOf(link).message, `${link}: a symbolic link; name the key file itself`);
  const folder = path.dirname(real);
  assert.is(refusalOf(folder).code, exitCodes.noPermission);
  assert.is(refusalOf(`${real}.none`).code, exitCodes.noInput);
  assert.is(refusalOf("/dev/null").code, exitCodes.noPermission);
});

testWhere(test, [needProgram("mkfifo", "coreutils")], "a pipe is refused at once", () => {
  const pipe = `${newFile("")}.pipe`;
  spawnSync("mkfifo", ["-m", "600", pipe]);
  assert.is(refusalOf(pipe).message, `${pipe}: not a regular file; name the key file itself`);
});

testWhere(test, [needRoot], "a file of another user is refused with the remedy", () => {
  const file = newFile(keyFileText([one]));
  chownSync(file, 1, 1);
  assert.equal(refusalOf(file), {
    code: exitCodes.noPermission,
    message: `${file}: owned by user 1, run by 0; chown 0 ${file}`,
  });
});

test("each kind of damage has its line and never shows a secret", () => {
  const good = keyFileText([one, two]);
  const [firstLine, secondLine] = good.trimEnd().split("\n").slice(-2) as [string, string];
  const flip = (line: string) => line.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /: holds no key/],
    ["# only a comment\n", /: holds no key/],
    [good.slice(0, -20), /:5: no key: expected STATE ID CREATED SECRET/],
    [good.replace("accepted", "retired"), /:5: no key/],
    [`${flip(firstLine)}\n`, /:1: the secret of key [0-9a-f]{8} is damaged/],
    [`${firstLine}\n${firstLine}\n`, /:2: key [0-9a-f]{8} stands here twice/],
    [`${secondLine}\n`, /: 0 keys are active/],
    [keyFileText([one, three]), /: 2 keys are active/],
    [keyFileText([one, two, as(three, "accepted")]), /: holds 3 keys/],
  ];
  for (const [text, message] of cases) {
    const file = newFile(text);
    const refusal = refusalOf(file);
    assert.is(refusal.code, exitCodes.dataError, refusal.message);
    assert.match(refusal.message, message);
    for (const key of [one, two, three]) {
      assert.not.match(refusal.message, key.secret.toString("hex").slice(8, 40));
    }
  }
});

test("whatever the text, damage is a value", () => {
  const good = keyFileText([one, two]);
  const spliced = fc
    .tuple(fc.nat(good.length), fc.nat(30), fc.string())
    .map(([at, length, text]) => good.slice(0, at) + text + good.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(fc.string(), spliced), (text) => {
      const read = parseKeyFile("authkey", text);
      assert.ok(read.ok ? read.keys.length > 0 : read.refusal.code === exitCodes.dataError);
    }),
    { numRuns: 1000 },
  );
});

function step(keys: readonly Key[], change: KeyChange): readonly Key[] {
  const changed = changeKeys(keys, change);
  if (!changed.ok) throw new Error(changed.refusal.message);
  return changed.keys;
}

function codeOf(keys: readonly Key[], change: KeyChange): number {
  const changed = changeKeys(keys, change);
  return changed.ok ? 0 : changed.refusal.code;
}

test("steps are refused that would leave a host alone", () => {
  const add: KeyChange = { step: "add", key: two };
  const retire = (id: number, force = false): KeyChange => ({ step: "retire", id, force });
  const both = step([one], add);
  assert.equal(step(both, add), both);
  assert.is(codeOf(both, { step: "add", key: three }), exitCodes.tryLater);
  assert.is(codeOf([one], retire(one.id)), exitCodes.noPermission);
  assert.is(codeOf(both, retire(one.id)), exitCodes.noPermission);
  assert.is(codeOf(both, retire(two.id)), exitCodes.noPermission);
  assert.equal(step(both, retire(two.id, true)), [one]);
  assert.is(codeOf(both, retire(one.id, true)), exitCodes.noPermission);
  assert.is(codeOf(both, { step: "promote", id: three.id }), exitCodes.noInput);
  const promoted = step(both, { step: "promote", id: two.id });
  assert.equal(promoted, [as(one, "retiring"), as(two, "active")]);
  assert.equal(step(promoted, { step: "promote", id: two.id }), promoted);
  assert.equal(step(promoted, retire(one.id)), [as(two, "active")]);
});

test("a change of keys loses no heartbeat, in whatever order the hosts take its steps", () => {
  const rounds: readonly KeyChange[] = [
    { step: "add", key: two },
    { step: "promote", id: two.id },
    { step: "retire", id: one.id, force: false },
  ];
  const orders = fc.integer({ min: 2, max: 5 }).chain((count) => {
    const hosts = Array.from({ length: count }, (_, index) => index);
    const order = fc.shuffledSubarray(hosts, { minLength: count });
    // A host may repeat a step: an operator who is not sure runs it again.
    const repeated = fc.tuple(order, fc.array(fc.constantFrom(...hosts), { maxLength: 3 }));
    return fc.record({ count: fc.constant(count), rounds: fc.tuple(repeated, repeated, repeated) });
  });
  const bytes = Buffer.from("heartbeat");
  fc.assert(
    fc.property(orders, (plan) => {
      const hosts: (readonly Key[])[] = Array.from({ length: plan.count }, () => [one]);
      const nobodyRejects = () => {
        const sets = hosts.map(keySetOf);
        for (const sender of sets) {
          for (const receiver of sets) {
            const { id } = sender.signing;
            assert.equal(macWith(receiver)(id, bytes), macWith(sender)(id, bytes));
            assert.ok(macWith(receiver)(id, bytes));
          }
        }
      };
      for (const [round, change] of rounds.entries()) {
        const [order, repeats] = plan.rounds[round] ?? [[], []];
        const done = new Set<number>();
        for (const host of [...order.slice(0, 1), ...repeats, ...order]) {
          if (done.has(host) && change.step === "retire") continue; // the key is gone: refused
          hosts[host] = step(hosts[host] ?? [], change);
          done.add(host);
          nobodyRejects();
        }
      }
      for (const keys of hosts) assert.equal(keys, [as(two, "active")]);
    }),
  );
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries > 300) throw new Error("nothing happened within 3 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

test("a watch tells each change once, and keeps quiet about files it cannot use", async () => {
  const file = newFile(keyFileText([one]));
  const told: string[] = [];
  const stop = watchKeys({
    file,
    everyMs: 5,
    current: keySetOf([one]),
    onChange: (keys) => told.push(`signs ${keyIdText(keys.signing.id)} +${keys.accepted.length}`),
    onRefusal: (refusal) => told.push(`refused ${refusal.code}`),
  });
  const replace = (text: string, mode = 0o600) => {
    writeFileSync(`${file}.new`, text, { mode });
    renameSync(`${file}.new`, file);
  };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  await pause();
  assert.equal(told, [], "the keys in use are no news");
  replace(keyFileText([one, two]));
  await until(() => told.length === 1);
  replace("damaged");
  await until(() => told.length === 2);
  await pause();
  unlinkSync(file);
  await until(() => told.length === 3);
  replace(keyFileText([as(two, "active"), as(one, "retiring")]));
  await until(() => told.length === 4);
  chmodSync(file, 0o644);
  await until(() => told.length === 5);
  chmodSync(file, 0o600);
  await until(() => told.length === 6);
  stop();
  replace(keyFileText([three]));
  await pause();
  const [first, second] = [keyIdText(one.id), keyIdText(two.id)];
  assert.equal(told, [
    `signs ${first} +1`,
    "refused 65",
    "refused 66",
    `signs ${second} +1`,
    "refused 77",
    `signs ${second} +1`,
  ]);
});

test.run();
