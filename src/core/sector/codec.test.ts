/** The codec and the field tables that drive it. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  echoEntry,
  echoValues,
  place,
  recordValues,
  sectorOf,
} from "../../testing/core-samples.ts";
import { checks, sealing } from "../../testing/core-seal.ts";
import { openSector } from "../record.ts";
import {
  beginSector,
  decodeSector,
  encodeSector,
  reservedNotZero,
  sealSector,
  uuidBytes,
  uuidText,
  writeFields,
} from "./codec.ts";
import { checkLayout, fieldBytes, fieldNamed, type Layout } from "./field.ts";
import {
  crcOffset,
  echoItem,
  echoesPerSector,
  keyIdOffset,
  layouts,
  macOffset,
  macSpanBytes,
  recordFlags,
  sectorBytes,
  type SectorKind,
} from "./layout.ts";

const u = (bits: 8 | 16 | 32) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/);
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => uuidText(bytes));

test("any record comes back as it was written", () => {
  const numbers = fc.record({
    state: u(8), role: u(8), failureClass: u(8), flags: u(16), intervalMs: u(32), leaseMs: u(32),
    watchdogMs: u(32), handoverSite: u(8), echoSectors: u(8), echoPeers: u(16), noticeId: u(32),
    noticeCode: u(16), noticeSeverity: u(16), timingDigest: u(32),
  }); // biome-ignore format: by size
  const bigs = fc.record({
    incarnation: u64, serial: u64, bootClockNs: u64, wallClockNs: u64, term: u64, generation: u64,
    nonce: u64, renouncedTerm: u64, renouncedNonce: u64, handoverTerm: u64, commandSeen: u64,
    commandDone: u64, noticeSerial: u64,
  }); // biome-ignore format: by size
  const plainObject = { noNullPrototype: true };
  const group = fc.record({ id: u(32), pair: u(8), inSyncNs: u64 }, plainObject);
  const rest = fc.record({
    bootId: uuid,
    hostName: name,
    noticeText: fc.stringMatching(/^[ -~]{0,104}$/),
    groups: fc.array(group, { minLength: 6, maxLength: 6 }),
  });
  fc.assert(
    fc.property(numbers, bigs, rest, (a, b, c) => {
      const values = recordValues({ ...a, ...b, ...c });
      const opened = openSector("record", sectorOf("record", values), place(), checks);
      assert.is(opened.kind, "valid");
      if (opened.kind !== "valid") return;
      const { magic, keyId, mac, crc, ...decoded } = opened.record;
      assert.equal(decoded, values);
      assert.is(magic, "MBRECORD");
    }),
    { numRuns: 300 },
  );
});

test("echo lists of any length come back, filled up with zeros", () => {
  fc.assert(
    fc.property(fc.array(u64, { maxLength: echoesPerSector }), (serials) => {
      const echoes = serials.map((serial) => echoEntry({ serial }));
      const sector = sectorOf("echo", echoValues({ count: echoes.length, echoes }));
      const decoded = decodeSector("echo", sector);
      assert.is(decoded.echoes.length, echoesPerSector);
      assert.equal(decoded.echoes.slice(0, echoes.length), echoes);
      for (const rest of decoded.echoes.slice(echoes.length)) {
        assert.ok(Object.values(rest).every((value) => Number(value) === 0));
      }
    }),
    { numRuns: 100 },
  );
});

test("what does not fit is a fault of the program, and stops it", () => {
  const write = (values: ReturnType<typeof recordValues>) => () => sectorOf("record", values);
  assert.throws(write(recordValues({ hostName: "a-name-of-17-char" })), /at most 16/);
  assert.throws(write(recordValues({ hostName: "tōkyō" })), /ASCII/);
  assert.throws(write(recordValues({ bootId: "no uuid" })), /uuid/);
  const groups = Array.from({ length: 7 }, () => ({ id: 1, pair: 1, inSyncNs: 0n }));
  assert.throws(write(recordValues({ groups })), /at most 6/);
  const unknown = { ...sealing, keyId: 5 };
  assert.throws(() => sectorOf("record", recordValues(), unknown), /signing key/);
  assert.throws(
    () => encodeSector("record", recordValues(), sealing, new Uint8Array(600), 100),
    /room/,
  );
});

test("a sector written field by field is the sector that is written at once", () => {
  const values = recordValues({ noticeText: "one", groups: [{ id: 1, pair: 2, inSyncNs: 3n }] });
  const sector = new Uint8Array(sectorBytes).fill(0xee);
  beginSector("record", sector);
  const { block, copy, nonce, volumeId, ...rest } = values;
  writeFields("record", sector, rest);
  writeFields("record", sector, { block: 7, copy: 1, nonce: 5n, volumeId: rest.bootId });
  writeFields("record", sector, { block, copy, nonce, volumeId });
  sealSector(sector, sealing);
  assert.equal(sector, sectorOf("record", values));
  assert.throws(() => writeFields("record", sector, { mac: new Uint8Array(16) } as never), /field/);
  assert.throws(() => writeFields("record", sector, { noSuch: 1 } as never), /noSuch/);
});

test("a sector is written whole, at its place, and nowhere else", () => {
  const target = new Uint8Array(3 * sectorBytes).fill(0xaa);
  encodeSector("record", recordValues(), sealing, target, sectorBytes);
  const alone = sectorOf("record", recordValues());
  assert.equal(target.subarray(sectorBytes, 2 * sectorBytes), alone);
  assert.ok(target.subarray(0, sectorBytes).every((byte) => byte === 0xaa));
  assert.ok(target.subarray(2 * sectorBytes).every((byte) => byte === 0xaa));
});

test("every reserved byte of every kind is checked when read", () => {
  const reservedBytes = (layout: Layout, base = 0): number[] =>
    layout.flatMap((field) => {
      const at = base + field.at;
      if (field.kind === "zero") return Array.from({ length: field.length }, (_, i) => at + i);
      if (field.kind !== "list") return [];
      const size = fieldBytes(field) / field.count;
      return Array.from({ length: field.count }, (_, i) =>
        reservedBytes(field.of, at + i * size),
      ).flat();
    });
  for (const kind of Object.keys(layouts) as SectorKind[]) {
    const all = reservedBytes(layouts[kind]);
    assert.ok(all.length > 12, kind);
    for (const at of all) {
      const sector = new Uint8Array(sectorBytes);
      sector[at] = 1;
      assert.is(reservedNotZero(kind, sector).length, 1, `${kind} ${at}`);
    }
    const rest = new Uint8Array(sectorBytes).fill(0xff);
    for (const at of all) rest[at] = 0;
    assert.equal(reservedNotZero(kind, rest), [], kind);
  }
});

test("seal fields stand where the constants say, in every kind", () => {
  for (const kind of Object.keys(layouts) as SectorKind[]) {
    assert.is(fieldNamed(layouts[kind], "keyId").at, keyIdOffset);
    assert.is(fieldNamed(layouts[kind], "mac").at, macOffset);
    assert.is(fieldNamed(layouts[kind], "crc").at, crcOffset);
    // The key id is under the MAC, or a sector could be passed off under another key's name.
    assert.ok(keyIdOffset + 4 <= macSpanBytes);
    assert.is(macSpanBytes, macOffset);
  }
});

test("flags are single bits, all different", () => {
  const masks = Object.values(recordFlags);
  assert.is(new Set(masks).size, masks.length);
  for (const mask of masks) assert.is(mask & (mask - 1), 0);
});

test("a layout with a gap, an overlap, a double name or a wrong size is refused", () => {
  const field = (at: number, label = `f${at}`) =>
    ({ name: label, at, kind: "u32", note: "" }) as const;
  assert.ok(checkLayout([field(0), field(4)], 8));
  assert.throws(() => checkLayout([field(0), field(5)], 9), /stands at 4/);
  assert.throws(() => checkLayout([field(0), field(3)], 7), /stands at 4/);
  assert.throws(() => checkLayout([field(0, "a"), field(4, "a")], 8), /unique/);
  assert.throws(() => checkLayout([field(0)], 8), /8 bytes, not 4/);
  const list = {
    name: "l",
    at: 0,
    kind: "list",
    count: 2,
    of: [field(0), field(6)],
    note: "",
  } as const;
  assert.throws(() => checkLayout([list], 16), /stands at 4/);
  assert.is(fieldBytes({ name: "l", at: 0, kind: "list", count: 3, of: echoItem, note: "" }), 120);
});

test("uuids go both ways", () => {
  const text = "00112233-4455-6677-8899-aabbccddeeff";
  assert.is(Buffer.from(uuidBytes(text)).toString("hex"), "00112233445566778899aabbccddeeff");
  assert.is(uuidText(uuidBytes(text)), text);
  assert.throws(() => uuidBytes(text.toUpperCase()), /lower-case/);
});

test.run();
