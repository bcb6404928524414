/** The device address file: whole, readable, and never half written. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Devices, noDevices } from "../core/base/devices.ts";
import { needRoot, testWhere } from "../testing/where.ts";
import {
  deviceFileName,
  deviceFileText,
  loadDeviceFile,
  parseDeviceFile,
  deviceFileStore,
} from "./device-file.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-devices-"));

const registration = fc.record(
  {
    end: fc.constantFrom("pvol" as const, "svol" as const),
    device: fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
      .map((text) => `/dev/${text}`),
    volumeId: fc.option(fc.uuid()),
    state: fc.constantFrom("registered" as const, "enabled" as const, "draining" as const),
    sinceNs: fc.bigInt(0n, 4_000_000_000_000n).map((ms) => ms * 1_000_000n),
  },
  { noNullPrototype: true },
);
const command = fc.record(
  {
    number: fc.bigInt(1n, (1n << 64n) - 1n),
    kind: fc.constantFrom("activate" as const, "deactivate" as const),
    mirror: fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/),
  },
  { noNullPrototype: true },
);
const devices: fc.Arbitrary<Devices> = fc.record(
  {
    registrations: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/), registration, {
      noNullPrototype: true,
    }),
    command: fc.option(command),
    commandSeen: fc.bigInt(0n, (1n << 64n) - 1n),
    commandDone: fc.bigInt(0n, (1n << 64n) - 1n),
    commandDoneBefore: fc.bigInt(0n, (1n << 64n) - 1n),
    generation: fc.nat(),
    splitForSignal: fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/), { maxLength: 3 }),
  },
  { noNullPrototype: true },
);

test("what is written is read back", () => {
  fc.assert(
    fc.property(devices, (some) => assert.equal(parseDeviceFile(deviceFileText(some)), some)),
  );
});

test("a text cut short is no file, or the same devices", () => {
  fc.assert(
    fc.property(devices, fc.double({ min: 0, max: 1, noNaN: true }), (some, part) => {
      const text = deviceFileText(some);
      const found = parseDeviceFile(text.slice(0, Math.floor(text.length * part)));
      if (found) assert.equal(found, some);
    }),
  );
});

test("a damaged file is refused with a remedy, a missing one is none", () => {
  assert.equal(loadDeviceFile(folder), { ok: true, devices: null });
  writeFileSync(path.join(folder, deviceFileName), "version = 2\n");
  const loaded = loadDeviceFile(folder);
  assert.is(loaded.ok ? 0 : loaded.refusal.code, 65);
  assert.match(loaded.ok ? "" : loaded.refusal.message, "move it away");
});

testWhere(test, [needRoot], "a full disk leaves the old file", async () => {
  const small = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]);
  try {
    const some: Devices = { ...noDevices, commandSeen: 5n, commandDone: 5n };
    const store = deviceFileStore(small);
    assert.is(await store(some), "");
    const before = readFileSync(path.join(small, deviceFileName), "utf8");
    try {
      writeFileSync(path.join(small, "filler"), Buffer.alloc(1 << 20));
    } catch {
      // it is full now
    }
    assert.match(await store({ ...some, commandSeen: 6n }), "disk is full");
    assert.is(readFileSync(path.join(small, deviceFileName), "utf8"), before);
  } finally {
    execFileSync("umount", [small]);
    rmSync(small, { recursive: true });
  }
});

test("a disk that never answers costs a limit; what was given up never lands after a later write", async () => {
  const writes: ((result: { ok: true }) => void)[] = [];
  const slow = () => new Promise<{ ok: true }>((resolve) => writes.push(resolve));
  const store = deviceFileStore(folder, slow, 20);
  assert.match(await store(noDevices), "not written within 20 ms");
  assert.match(await store({ ...noDevices, commandSeen: 1n }), "an earlier write has not ended");
  assert.is(writes.length, 1);
  writes[0]?.({ ok: true });
  await new Promise(setImmediate);
  const later = store({ ...noDevices, commandSeen: 2n });
  writes[1]?.({ ok: true });
  assert.is(await later, "");
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
