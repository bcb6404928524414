/** The hex dump: every byte of a sector is shown once, within 80 columns. */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fieldBytes } from "../core/sector/field.ts";
import { layouts, recordFlags, sectorBytes, states } from "../core/sector/layout.ts";
import { goldens, recordValues, sectorOf } from "../testing/core-samples.ts";
import { columns, tableLines, wrapText } from "./examine-lines.ts";
import { plainText, sizeText } from "./examine-sizes.ts";
import { differingRows, fieldRows, hexLines } from "./hexdump.ts";

test("no line is wider than the screen, or anything but ASCII", () => {
  for (const { kind, values } of goldens) {
    for (const line of hexLines(fieldRows(layouts[kind], sectorOf(kind, values)))) {
      assert.ok(line.length <= columns, `${line.length}: ${line}`);
      assert.match(line, /^[\x20-\x7e]*$/);
    }
  }
  const garbage = Buffer.from(
    Array.from({ length: sectorBytes }, (_, at) => (at * 37 + 129) % 256),
  );
  for (const layout of Object.values(layouts)) {
    for (const line of hexLines(fieldRows(layout, garbage))) {
      assert.ok(line.length <= columns, line);
      assert.match(line, /^[\x20-\x7e]*$/);
    }
  }
});

test("every field has its row, at its offset", () => {
  const rows = fieldRows(layouts.record, sectorOf("record", recordValues()));
  let at = 0;
  for (const field of layouts.record) {
    const row = rows.find((candidate) => candidate.at === at);
    assert.is(row?.bytes.length, fieldBytes(field), field.name);
    at += fieldBytes(field);
  }
  assert.is(at, sectorBytes);
});

test("values are shown in words where they have some", () => {
  const sector = sectorOf(
    "record",
    recordValues({
      state: states.failed,
      flags: recordFlags.guard | recordFlags.beacon,
      groups: [{ id: 9, pair: 4, inSyncNs: 5n }],
      noticeText: "listener is dead",
    }),
  );
  const values = new Map(fieldRows(layouts.record, sector).map(({ name, value }) => [name, value]));
  assert.is(values.get("magic"), "MBRECORD");
  assert.is(values.get("state"), "4 failed");
  assert.is(values.get("flags"), "9 guard beacon");
  assert.is(values.get("wallClockNs"), "2026-11-22T07:31:04.120Z");
  assert.is(values.get("serial"), "1000");
  assert.is(values.get("groups[0].pair"), "4 split");
  assert.is(values.get("groups[1].pair"), undefined);
  assert.is(values.get("noticeText"), "listener is dead");
  assert.is(values.get("reserved"), "zero");
});

test("what differs between two copies, and nothing else", () => {
  const rows = (serial: bigint) =>
    fieldRows(layouts.record, sectorOf("record", recordValues({ serial })));
  const differing = differingRows(rows(7n), rows(8n)).map(({ name }) => name);
  assert.equal(differing, ["serial", "mac", "crc"]);
  assert.equal(differingRows(rows(7n), rows(7n)), []);
});

test("a record as it looks", () => {
  const lines = hexLines(fieldRows(layouts.record, sectorOf("record", recordValues())));
  const file = "src/console/hexdump.expected.txt";
  if (process.env["UPDATE_FIXTURES"]) writeFileSync(file, `${lines.join("\n")}\n`);
  const golden = readFileSync(file, "utf8");
  assert.is(`${lines.join("\n")}\n`, golden);
});

test("texts, tables, sizes", () => {
  assert.equal(wrapText("a bb ccc dddd", 2, 6), ["a bb", "  ccc", "  dddd"]);
  assert.equal(wrapText("", 2, 6), [""]);
  const table = [
    { title: "N", align: "right" },
    { title: "WHAT", align: "left" },
  ] as const;
  assert.equal(
    tableLines(table, [
      ["10", "x"],
      ["1", "longer"],
    ]),
    [" N WHAT", "10 x", " 1 longer"],
  );
  assert.is(sizeText(64 << 20), "64.0 MiB");
  assert.is(sizeText(512), "512 bytes");
  assert.is(sizeText(5 * 1024 ** 4), "5.0 TiB");
  assert.is(plainText("a\x1b[31m\u00e9"), "a?[31m?");
});

test.run();
