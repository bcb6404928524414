/** What may be believed: places, copies, positions, and writes torn at every byte. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  echoEntry,
  echoValues,
  otherId,
  place,
  recordValues,
  sectorOf,
  superblockValues,
} from "../testing/core-samples.ts";
import { checks, crc32c, macWith, otherKey, sealingWith, testKey } from "../testing/core-seal.ts";
import {
  addressee,
  comparePositions,
  datagramPlace,
  isRegression,
  newestCopy,
  type Opened,
  openSector,
  type Rejection,
} from "./record.ts";
import {
  blockBytes,
  type HeartbeatRecord,
  media,
  nilUuid,
  sectorBytes,
  sectorsPerBlock,
} from "./sector/layout.ts";

const reasonOf = (opened: Opened<"record">): string =>
  opened.kind === "rejected" ? opened.reason : opened.kind;

test("each rule of the place is checked by itself, and in its order", () => {
  // Every fault at once; taking away the first one that is reported uncovers the next.
  const faults: readonly (readonly [Rejection, Partial<HeartbeatRecord>])[] = [
    ["version-newer", { version: 9 }],
    ["version-newer", { features: 4 }],
    ["foreign-cluster", { clusterId: otherId }],
    ["foreign-volume", { volumeId: otherId }],
    ["misplaced", { medium: media.datagram }],
    ["misplaced", { block: 99 }],
    ["misplaced", { copy: 1 }],
    ["misplaced", { slot: 3 }],
    ["wrong-site", { site: 9 }],
  ];
  for (let first = 0; first < faults.length; first++) {
    const values = faults.slice(first).reduce((sum, [, change]) => ({ ...sum, ...change }), {});
    const sector = sectorOf("record", recordValues(values), sealingWith(otherKey));
    assert.is(reasonOf(openSector("record", sector, place(), checks)), faults[first]?.[0]);
  }
  const strange = sectorOf("record", recordValues(), sealingWith(otherKey));
  assert.is(reasonOf(openSector("record", strange, place(), checks)), "unknown-key");
  const both = { ...checks, mac: macWith(testKey, otherKey) };
  assert.is(reasonOf(openSector("record", strange, place(), both)), "valid");
});

test("a place with no slot or site takes any, as a datagram does", () => {
  const changes = {
    medium: media.datagram,
    volumeId: nilUuid,
    block: addressee(2, 5),
    slot: 4,
    site: 7,
  };
  const sector = sectorOf("record", recordValues(changes));
  const { clusterId } = place();
  assert.is(
    reasonOf(openSector("record", sector, datagramPlace(clusterId, 2, 5), checks)),
    "valid",
  );
  assert.is(
    reasonOf(openSector("record", sector, datagramPlace(clusterId, 2, 6), checks)),
    "misplaced",
  );
  assert.is(
    reasonOf(openSector("record", sector, datagramPlace(clusterId, 1, 5), checks)),
    "misplaced",
  );
});

test("a sector of another kind is no record, though signed and whole", () => {
  assert.is(
    reasonOf(openSector("record", sectorOf("echo", echoValues()), place(), checks)),
    "not-a-record",
  );
  const superblock = sectorOf("superblock", superblockValues(0));
  assert.is(reasonOf(openSector("record", superblock, place(), checks)), "not-a-record");
});

test("no single changed bit is believed, in any byte of the sector", () => {
  const sector = sectorOf("record", recordValues({ groups: [], noticeText: "x" }));
  for (let at = 0; at < sectorBytes; at++) {
    for (const bit of [1, 0x80]) {
      const bytes = Uint8Array.from(sector);
      bytes[at] = (bytes[at] ?? 0) ^ bit;
      assert.is(openSector("record", bytes, place(), checks).kind, "rejected", `byte ${at}`);
      // The same with a mended checksum: what a forger can do without the key.
      if (at >= 0x1fc) continue;
      new DataView(bytes.buffer).setUint32(0x1fc, crc32c(bytes.subarray(0, 0x1fc)), true);
      assert.is(openSector("record", bytes, place(), checks).kind, "rejected", `forged ${at}`);
    }
  }
});

test("a sector is empty only if all of it is zero", () => {
  assert.is(openSector("record", new Uint8Array(sectorBytes), place(), checks).kind, "empty");
  const almost = new Uint8Array(sectorBytes);
  almost[511] = 1;
  assert.is(reasonOf(openSector("record", almost, place(), checks)), "not-a-record");
});

const position = (incarnation: number, serial: number) => ({
  incarnation: BigInt(incarnation),
  serial: BigInt(serial),
});

test("positions are ordered by incarnation, then serial", () => {
  const small = fc.tuple(fc.nat(3), fc.nat(3));
  fc.assert(
    fc.property(small, small, ([a, b], [c, d]) => {
      const expected = a !== c ? a - c : b - d;
      assert.is(Math.sign(comparePositions(position(a, b), position(c, d))), Math.sign(expected));
    }),
    { numRuns: 300 },
  );
});

test("one serial back is tolerated; two, or an older incarnation, are a regression", () => {
  const mark = position(5, 100);
  assert.not(isRegression(position(5, 101), mark));
  assert.not(isRegression(position(5, 100), mark));
  assert.not(isRegression(position(5, 99), mark));
  assert.ok(isRegression(position(5, 98), mark));
  assert.ok(isRegression(position(4, 100_000), mark));
  assert.not(isRegression(position(6, 1), mark));
});

const valid = (incarnation: number, serial: number): Opened<"record"> => ({
  kind: "valid",
  record: { ...position(incarnation, serial), copy: 0 } as HeartbeatRecord,
});
const refused = (reason: Rejection): Opened<"record"> => ({ kind: "rejected", reason });
const empty: Opened<"record"> = { kind: "empty" };

test("the newest valid copy wins, whichever side it stands on, and damage never hides it", () => {
  const newest = (a: Opened<"record">, b: Opened<"record">) => {
    const reading = newestCopy(a, b);
    if (reading.kind !== "record") return reading;
    const { incarnation, serial } = reading.record;
    return { at: [Number(incarnation), Number(serial)], damaged: reading.damaged };
  };
  assert.equal(newest(valid(1, 8), valid(1, 9)), { at: [1, 9], damaged: null });
  assert.equal(newest(valid(1, 9), valid(1, 8)), { at: [1, 9], damaged: null });
  assert.equal(newest(valid(2, 1), valid(1, 9)), { at: [2, 1], damaged: null });
  for (const bad of [refused("checksum"), refused("forged")]) {
    const damaged = reasonOf(bad);
    assert.equal(newest(bad, valid(1, 9)), { at: [1, 9], damaged });
    assert.equal(newest(valid(1, 9), bad), { at: [1, 9], damaged });
    assert.equal(newest(bad, empty), { kind: "rejected", reason: damaged });
    assert.equal(newest(empty, bad), { kind: "rejected", reason: damaged });
  }
  assert.equal(newest(refused("forged"), refused("checksum")), {
    kind: "rejected",
    reason: "forged",
  });
  assert.equal(newest(empty, valid(3, 4)), { at: [3, 4], damaged: null });
  assert.equal(newest(empty, empty), { kind: "empty" });
});

// ---- Torn writes. Copy A holds serial 1, copy B serial 2; serial 3 is written over copy A.

const echoSectors = 3;

function block(serial: bigint, copy: 0 | 1): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  const where = { serial, copy, block: 8 + copy, nonce: serial * 0x1111_1111_1111n };
  bytes.set(sectorOf("record", recordValues({ ...where, echoSectors, hostName: `h${serial}` })));
  for (let index = 1; index <= echoSectors; index++) {
    const echoes = Array.from({ length: 9 }, (_, i) =>
      echoEntry({ serial: serial * 10n + BigInt(i) }),
    );
    const values = {
      serial,
      copy,
      block: 8 + copy,
      index,
      firstPeer: 9 * (index - 1),
      count: 9,
      echoes,
    };
    bytes.set(sectorOf("echo", echoValues(values)), index * sectorBytes);
  }
  return bytes;
}

const old = block(1n, 0);
const good = block(2n, 1);
const fresh = block(3n, 0);
const sector = (bytes: Uint8Array, index: number) =>
  bytes.subarray(index * sectorBytes, (index + 1) * sectorBytes);
const openA = (bytes: Uint8Array) =>
  openSector("record", sector(bytes, 0), place({ block: 8 }), checks);
const openedGood = openSector("record", sector(good, 0), place({ block: 9, copy: 1 }), checks);
const recordOf = (opened: Opened<"record">): HeartbeatRecord => {
  if (opened.kind !== "valid") throw new Error("the whole blocks are valid");
  return opened.record;
};
const wholes = {
  old: recordOf(openA(old)),
  good: recordOf(openedGood),
  fresh: recordOf(openA(fresh)),
};

/** The first `length` bytes of one over the other; where `fromEnd`, the last ones. */
function torn(over: Uint8Array, by: Uint8Array, length: number, fromEnd: boolean): Uint8Array {
  const bytes = Uint8Array.from(over);
  if (fromEnd) bytes.set(by.subarray(blockBytes - length), blockBytes - length);
  else bytes.set(by.subarray(0, length));
  return bytes;
}

function checkTorn(bytes: Uint8Array, what: string): "good" | "fresh" {
  const reading = newestCopy(openA(bytes), openedGood);
  assert.is(reading.kind, "record", `${what}: something is readable`);
  if (reading.kind !== "record") throw new Error(what);
  const name = reading.record.serial === 3n ? "fresh" : "good";
  assert.equal(reading.record, wholes[name], `${what}: ${name}, whole`);
  return name;
}

for (const fromEnd of [false, true]) {
  const side = fromEnd ? "suffix" : "prefix";
  test(`every ${side} of a new record over the older copy: the last record or the new one`, () => {
    let names = "";
    for (let length = 0; length <= blockBytes; length++) {
      const name = checkTorn(torn(old, fresh, length, fromEnd), `${side} of ${length}`);
      if (!names.endsWith(name)) names += ` ${name}`;
    }
    // Seen once new, it stays new: there is one moment at which the write takes effect.
    assert.is(names, " good fresh");
  });

  test(`every ${side} at 512: each sector is the old or the new one, none is lost`, () => {
    for (let sectors = 0; sectors <= sectorsPerBlock; sectors++) {
      const bytes = torn(old, fresh, sectors * sectorBytes, fromEnd);
      const opened = openA(bytes);
      assert.is(opened.kind, "valid");
      const isNew = fromEnd ? sectors === sectorsPerBlock : sectors > 0;
      if (opened.kind === "valid") assert.equal(opened.record, isNew ? wholes.fresh : wholes.old);
      for (let index = 1; index <= echoSectors; index++) {
        const echo = openSector("echo", sector(bytes, index), place({ block: 8 }), checks);
        const newEcho = fromEnd ? index >= sectorsPerBlock - sectors : index < sectors;
        assert.is(echo.kind, "valid");
        if (echo.kind !== "valid") continue;
        assert.is(echo.record.serial, newEcho ? 3n : 1n);
        assert.equal(
          echo.record.echoes.map((entry) => entry.serial),
          Array.from({ length: 9 }, (_, i) => echo.record.serial * 10n + BigInt(i)),
        );
      }
    }
  });

  test(`every byte of a ${side}: an echo sector is old, new or refused, never mixed`, () => {
    for (let length = 0; length <= blockBytes; length++) {
      const bytes = torn(old, fresh, length, fromEnd);
      const edge = fromEnd ? blockBytes - length : length;
      for (let index = 1; index <= echoSectors; index++) {
        // Sectors away from the edge are the same as at the next multiple of 512: checked above.
        if (Math.floor(edge / sectorBytes) !== index) continue;
        const echo = openSector("echo", sector(bytes, index), place({ block: 8 }), checks);
        if (echo.kind !== "valid") continue;
        const tens = new Set(echo.record.echoes.map((entry) => entry.serial / 10n));
        assert.equal([...tens], [echo.record.serial], `${side} of ${length}`);
      }
    }
  });
}

test("a device with atomic blocks of 4096: old or new", () => {
  assert.is(checkTorn(torn(old, fresh, 0, false), "before"), "good");
  assert.is(checkTorn(torn(old, fresh, blockBytes, false), "after"), "fresh");
});

test("any subset of sectors, in any order, leaves old or new", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), (mask) => {
      const bytes = Uint8Array.from(old);
      for (let index = 0; index < sectorsPerBlock; index++) {
        if (mask & (1 << index)) bytes.set(sector(fresh, index), index * sectorBytes);
      }
      assert.is(checkTorn(bytes, `mask ${mask}`), mask & 1 ? "fresh" : "good");
    }),
    { numRuns: 256 },
  );
});

test("a first record torn over an empty copy is refused or new, and never half", () => {
  const none = new Uint8Array(blockBytes);
  for (let length = 0; length <= sectorBytes; length++) {
    const opened = openA(torn(none, fresh, length, false));
    if (opened.kind === "valid") assert.equal(opened.record, wholes.fresh);
    else assert.is(opened.kind, length === 0 ? "empty" : "rejected");
  }
});

test.run();
