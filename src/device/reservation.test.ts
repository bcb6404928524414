/** Golden bytes of the commands, and answers whole, cut short and damaged. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  changeCommand,
  changes,
  parseCapabilities,
  parseFullStatus,
  parseKeys,
  parseReservation,
  readCommand,
  readings,
} from "./reservation.ts";
import { parseSense } from "./scsi-command.ts";

const key = 0x1122334455667788n;
const other = 0xa1b2c3d4e5f60718n;
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

test("commands that read", () => {
  const golden = [
    [readings.keys, 1024, "5e 00 00 00 00 00 00 04 00 00"],
    [readings.reservation, 24, "5e 01 00 00 00 00 00 00 18 00"],
    [readings.capabilities, 8, "5e 02 00 00 00 00 00 00 08 00"],
    [readings.fullStatus, 8192, "5e 03 00 00 00 00 00 20 00 00"],
  ] as const;
  for (const [reading, length, hex] of golden)
    assert.is(readCommand(reading, length).toString("hex"), hex.replaceAll(" ", ""), reading.name);
});

test("commands that change, and their parameter lists", () => {
  const own = "1122334455667788";
  const theirs = "a1b2c3d4e5f60718";
  const none = "0000000000000000";
  const end = (flags: string) => `00000000${flags}000000`;
  const golden = [
    [changes.register, { key: 0n, otherKey: key, type: 0, persists: true },
      "5f000000000000001800", none + own + end("01")],
    [changes.register, { key, otherKey: 0n, type: 0, persists: false },
      "5f000000000000001800", own + none + end("00")],
    [changes.registerIgnoring, { key: 0n, otherKey: key, type: 0, persists: false },
      "5f060000000000001800", none + own + end("00")],
    [changes.reserve, { key, otherKey: 0n, type: 5, persists: false },
      "5f010500000000001800", own + none + end("00")],
    [changes.release, { key, otherKey: 0n, type: 5, persists: false },
      "5f020500000000001800", own + none + end("00")],
    [changes.preempt, { key, otherKey: other, type: 7, persists: false },
      "5f040700000000001800", own + theirs + end("00")],
  ] as const; // biome-ignore format: a table
  for (const [change, words, command, parameters] of golden) {
    const made = changeCommand(change, words);
    assert.is(made.command.toString("hex"), command, change.name);
    assert.is(made.parameters.toString("hex"), parameters, change.name);
  }
});

test("there is no way to say CLEAR or PREEMPT AND ABORT", () => {
  const actions = Object.values(changes).map(({ action }) => action as number);
  assert.not(actions.includes(3));
  assert.not(actions.includes(5));
});

const keysAnswer = bytes("00000007 00000010 1122334455667788 a1b2c3d4e5f60718");
const heldAnswer = bytes("00000007 00000010 1122334455667788 00000000 00 05 0000");
const fullAnswer = bytes(
  "00000007 00000038 1122334455667788 00000000 01 05 00000000 0001 00000004 aabbccdd" +
    "a1b2c3d4e5f60718 00000000 00 00 00000000 0002 00000004 aabbccdd",
);

test("what a volume answers", () => {
  assert.equal(parseKeys(keysAnswer), { generation: 7, keys: [key, other] });
  assert.equal(parseKeys(bytes("00000000 00000000")), { generation: 0, keys: [] });
  assert.equal(parseReservation(heldAnswer), { generation: 7, holder: { key, type: 5 } });
  assert.equal(parseReservation(bytes("00000007 00000000")), { generation: 7, holder: null });
  const all = bytes("00000001 00000010 0000000000000000 00000000 00 07 0000");
  assert.equal(parseReservation(all), { generation: 1, holder: { key: 0n, type: 7 } });
  assert.equal(parseFullStatus(fullAnswer), {
    generation: 7,
    registrations: [
      { key, holds: 5 },
      { key: other, holds: null },
    ],
  });
  assert.equal(parseCapabilities(bytes("0008 01 80 e801 0000")), {
    canPersist: true,
    types: [3, 5, 6, 7, 8],
  });
  assert.equal(parseCapabilities(bytes("0008 00 00 e801 0000")), {
    canPersist: false,
    types: null,
  });
});

test("what makes no sense is null", () => {
  assert.is(
    parseKeys(bytes("00000007 0000000c 1122334455667788 a1b2c3d4")),
    null,
    "a part of a key",
  );
  assert.is(parseKeys(bytes("00000007 00000008 0000000000000000")), null, "key 0");
  assert.is(
    parseReservation(bytes("00000007 00000010 0000000000000000 00000000 00 05 0000")),
    null,
  );
  assert.is(
    parseReservation(bytes("00000007 00000010 1122334455667788 00000000 00 15 0000")),
    null,
  );
  assert.is(
    parseReservation(bytes("00000007 00000010 1122334455667788 00000000 00 02 0000")),
    null,
  );
  assert.is(parseFullStatus(fullAnswer.subarray(0, 40)), null);
});

test("an answer cut short anywhere is null", () => {
  const parsers = [
    [parseKeys, keysAnswer],
    [parseReservation, heldAnswer],
    [parseFullStatus, fullAnswer],
    [parseCapabilities, bytes("0008 01 80 e801 0000")],
  ] as const;
  for (const [parse, whole] of parsers)
    for (let length = 0; length < whole.length; length++)
      assert.is(parse(whole.subarray(0, length)), null, `${parse.name} ${length}`);
});

test("10,000 damaged answers: no exception, and nothing but whole values", () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((seed / 0x8000_0000) * below);
  };
  let whole = 0;
  for (let round = 0; round < 10_000; round++) {
    const answers = [keysAnswer, heldAnswer, fullAnswer];
    const damaged = Buffer.from(answers[round % 3] as Buffer);
    for (let count = 1 + random(4); count > 0; count--)
      damaged[random(damaged.length)] = random(256);
    const cut = damaged.subarray(0, random(4) === 0 ? random(damaged.length) : damaged.length);
    const keys = parseKeys(cut);
    const held = parseReservation(cut);
    const full = parseFullStatus(cut);
    parseCapabilities(cut);
    parseSense(cut);
    if (keys) assert.ok(keys.keys.every((each) => each > 0n));
    if (held?.holder) assert.ok([1, 3, 5, 6, 7, 8].includes(held.holder.type));
    if (full) assert.ok(full.registrations.every((each) => each.key > 0n));
    if (keys || held || full) whole++;
  }
  assert.ok(whole > 1000, `${whole} could still be read: the damage was too coarse to test`);
});

test("sense data in both formats", () => {
  const fixed = Buffer.alloc(18);
  fixed.set([0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 0x05]);
  assert.equal(parseSense(fixed), { kind: "sense", key: 6, code: 0x2a, qualifier: 5 });
  const descriptor = bytes("72 05 24 00 00000000");
  assert.equal(parseSense(descriptor), { kind: "sense", key: 5, code: 0x24, qualifier: 0 });
  for (const nothing of ["", "70", "7205", "00112233"]) assert.is(parseSense(bytes(nothing)), null);
});

test.run();
