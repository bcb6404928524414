/** The named checks and the core's own judgement never disagree on whether a sector is good. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openSector } from "../core/record.ts";
import { crcOffset, sectorBytes, type SectorKind } from "../core/sector/layout.ts";
import { goldens, sectorOf } from "../testing/core-samples.ts";
import { checks, crc32c } from "../testing/core-seal.ts";
import { acceptAnyMac, checkSector } from "./sector-checks.ts";

const kinds: readonly SectorKind[] = ["superblock", "record", "echo"];

test("a good sector passes every check", () => {
  for (const { name, kind, place, values } of goldens) {
    const failed = checkSector(kind, sectorOf(kind, values), place, checks).filter(({ ok }) => !ok);
    assert.equal(failed, [], name);
  }
});

test("good by all checks exactly if the core believes it, however it is changed", () => {
  const change = fc.record({
    golden: fc.constantFrom(...goldens),
    at: fc.nat(sectorBytes - 1),
    flip: fc.integer({ min: 1, max: 255 }),
    /** Otherwise every change is a wrong checksum, and nothing else is seen. */
    mendsChecksum: fc.boolean(),
    as: fc.constantFrom(...kinds),
  });
  fc.assert(
    fc.property(change, ({ golden, at, flip, mendsChecksum, as }) => {
      const sector = sectorOf(golden.kind, golden.values);
      sector[at] = (sector[at] ?? 0) ^ flip;
      if (mendsChecksum) {
        const view = new DataView(sector.buffer);
        view.setUint32(crcOffset, crc32c(sector.subarray(0, crcOffset)), true);
      }
      const believed = openSector(as, sector, golden.place, checks).kind === "valid";
      const passed = checkSector(as, sector, golden.place, checks).every(({ ok }) => ok !== false);
      assert.is(passed, believed);
    }),
    { numRuns: 2000 },
  );
});

test("without a key all is judged but the signature", () => {
  for (const { name, kind, place, values } of goldens) {
    const sector = sectorOf(kind, values);
    const open = () => openSector(kind, sector, place, { mac: acceptAnyMac, crc32c }).kind;
    assert.is(open(), "valid", name);
    const unchecked = checkSector(kind, sector, place, { crc32c, mac: null });
    assert.equal(
      unchecked.filter(({ ok }) => ok !== true).map((check) => check.name),
      ["MAC"],
    );
    sector[0x50] = (sector[0x50] ?? 0) ^ 1;
    assert.is(open(), "rejected", name);
  }
});

test("a failed check says what was found and what was expected", () => {
  const [golden] = goldens.filter(({ kind }) => kind === "record");
  if (!golden) throw new Error("a record");
  const sector = sectorOf(golden.kind, golden.values);
  const wrong = { ...golden.place, block: 99, slot: 3 };
  const failed = checkSector("record", sector, wrong, checks).filter(({ ok }) => ok === false);
  assert.equal(
    failed.map(({ name, found }) => `${name}: ${found}`),
    ["block: 12, expected 99", "slot: 2, expected 3"],
  );
});

test.run();
