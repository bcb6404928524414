/** The structures on both sides, and every way in which a library can fill them wrongly. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { damage, seeded } from "../exec/testing/damage.ts";
import { faultClasses, pairStates } from "../provider.ts";
import { settleViews } from "../told-view.ts";
import {
  aboutCall,
  changeCall,
  commandsCall,
  faultOf,
  identifyCall,
  openCall,
  queryCall,
  readAbout,
  readBegun,
  readCommands,
  readIdentity,
  readQuery,
} from "./codec.ts";
import * as layout from "./layout.ts";
import { answerLine, parseAnswer, parseRequest, requestLine } from "./wire.ts";

const header = readFileSync("native/include/mirrorbeat_vendor.h", "utf8");

test("sizes and offsets are those that the C compiler has proved", () => {
  const tables: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    mbv_head: layout.headAt,
    mbv_about_call: layout.aboutAt,
    mbv_open_call: layout.openAt,
    mbv_identify_call: layout.identifyAt,
    mbv_view: layout.viewAt,
    mbv_query_call: layout.queryAt,
    mbv_commands_call: layout.commandsAt,
    mbv_change_call: layout.changeAt,
  };
  const sizes = [...header.matchAll(/^MBV_SIZE\((\w+), (\d+)\);$/gm)];
  assert.equal(
    Object.fromEntries(sizes.map(([, type, bytes]) => [type, Number(bytes)])),
    layout.sizes,
  );
  const lines = [...header.matchAll(/^MBV_AT\((\w+), (\w+), (\d+)\);$/gm)];
  const told: Record<string, Record<string, number>> = {};
  for (const [, type = "", field = "", bytes] of lines) {
    told[type] = { ...told[type], [field]: Number(bytes) };
  }
  assert.equal(told, tables);
});

test("numbers are those of the header", () => {
  const number = (name: string): number => {
    const found = new RegExp(`\\b${name} (?:= )?\\(?(-?\\d+)`).exec(header);
    return Number(found?.[1] ?? Number.NaN);
  };
  const tables = {
    MBV_FAULT_: layout.faultNumbers,
    MBV_STATE_: layout.stateNumbers,
    MBV_ROLE_: layout.roleNumbers,
    MBV_VERB_: layout.verbNumbers,
    MBV_COPYING_: layout.copyingNumbers,
    MBV_READING_: layout.readingNumbers,
    MBV_END_: layout.endNumbers,
    MBV_SCOPE_: layout.scopeNumbers,
  };
  for (const [prefix, table] of Object.entries(tables)) {
    for (const [word, value] of Object.entries(table)) {
      const name = prefix + word.toUpperCase().replaceAll("-", "_");
      assert.is(number(name), value, name);
    }
    const all = [...header.matchAll(new RegExp(`\\b${prefix}[A-Z_]+ = `, "g"))];
    assert.is(all.length, Object.keys(table).length, `all of ${prefix}`);
  }
  assert.is(number("MBV_ABI_VERSION"), layout.abiVersion);
  assert.is(number("MBV_NAME_BYTES"), layout.nameBytes);
  assert.is(number("MBV_CAUSE_BYTES"), layout.causeBytes);
  assert.is(number("MBV_TEXT_BYTES"), layout.textBytes);
  assert.is(number("MBV_COMMANDS_BYTES"), layout.commandsBytes);
});

type View = { [field in keyof typeof layout.viewAt]?: number | string };

function fillView(bytes: Buffer, view: View): void {
  for (const [field, value] of Object.entries(view)) {
    const at = layout.viewAt[field as keyof View];
    if (typeof value === "string") bytes.write(`${value}\0`, at, "latin1");
    else if (field === "last_copy_ago_ms") bytes.writeBigInt64LE(BigInt(value), at);
    else bytes.writeInt32LE(value, at);
  }
}

const good: View = {
  state: layout.stateNumbers.paired,
  role: layout.roleNumbers.primary,
  readable: 1,
  writable: 1,
  in_sync: 1,
  percent: 100,
  last_copy_ago_ms: 7,
  native: "PAIR",
  cause: "",
};

function answered(view: View, remote: View = { ...good, role: layout.roleNumbers.secondary }) {
  const { bytes } = queryCall("both");
  bytes.writeInt32LE(0, layout.queryAt.remote_fault);
  bytes.writeBigInt64LE(3n, layout.queryAt.age_ms);
  fillView(bytes.subarray(layout.queryAt.local), { ...good, ...view });
  fillView(bytes.subarray(layout.queryAt.remote), remote);
  return bytes;
}

const stateOf = (bytes: Buffer): string => {
  const read = readQuery(bytes, "both");
  return read.ok ? settleViews(read.value, "synchronous").local.state : read.class;
};

test("a good answer is read, what is not told is null", () => {
  const read = readQuery(answered({ percent: -1, last_copy_ago_ms: -1, in_sync: -1 }), "both");
  assert.ok(read.ok);
  const { local, remote, ageMs } = read.value;
  assert.is(local.state, "paired");
  assert.equal([local.percent, local.lastCopyAgoMs, local.inSync], [null, null, null]);
  assert.is(remote?.role, "secondary");
  assert.is(ageMs, 3);
});

test("whatever is out of its range makes the answer unparseable", () => {
  assert.is(stateOf(queryCall("both").bytes), "unparseable", "nothing was filled in");
  const wrong: View[] = [
    { state: 0 }, { state: 8 }, { state: -1 }, { role: 0 }, { role: 5 }, { readable: 2 },
    { writable: -2 }, { in_sync: 7 }, { percent: 101 }, { percent: -2 }, { last_copy_ago_ms: -2 },
    { native: "x".repeat(layout.nameBytes) }, { cause: "x".repeat(layout.causeBytes) },
  ]; // biome-ignore format: a table
  for (const view of wrong) {
    const bytes = answered({});
    // Beyond the text without an end stands something else than a zero byte.
    if (view.native) fillView(bytes.subarray(layout.queryAt.local), { cause: "y" });
    fillView(bytes.subarray(layout.queryAt.local), view);
    if (view.cause) fillView(bytes.subarray(layout.queryAt.remote), good);
    assert.is(stateOf(bytes), "unparseable", JSON.stringify(view));
  }
  assert.is(faultOf(12, answered({}))?.class, "unparseable");
  assert.is(faultOf(-1, answered({}))?.class, "unparseable");
  for (const word of faultClasses) {
    assert.is(faultOf(layout.faultNumbers[word], answered({}))?.class, word);
  }
});

test("what contradicts itself is unknown, and text is shown as printable ASCII", () => {
  assert.is(stateOf(answered({})), "paired");
  assert.is(stateOf(answered({ percent: 37 })), "unknown");
  assert.is(stateOf(answered({ role: layout.roleNumbers.none })), "unknown");
  assert.is(stateOf(answered({}, good)), "unknown", "both ends primary");
  const read = readQuery(answered({ native: "PA\u001b[2J\u00e9" }), "local");
  assert.is(read.ok && read.value.local.native, "PA?[2J?");
});

test("what was not filled in is no answer of about, identify, commands or change", () => {
  assert.is(readAbout(aboutCall().bytes).ok, false);
  assert.is(readIdentity(identifyCall().bytes).ok, false);
  assert.is(readCommands(commandsCall("split", false).bytes), null);
  assert.is(readBegun(changeCall("split", false).bytes), null);
  const wish = { end: "writer", settings: "", device: "/a", peerDevice: "/b" } as const;
  assert.ok(openCall(wish));
  assert.is(openCall({ ...wish, settings: "x".repeat(layout.textBytes) }), null);
});

test("10,000 structures of random bytes: no exception, never paired", () => {
  const random = seeded(5);
  for (let index = 0; index < 10_000; index++) {
    const bytes = Buffer.alloc(layout.sizes.mbv_query_call);
    for (let at = layout.sizes.mbv_head; at < bytes.length; at++) bytes[at] = random() * 256;
    assert.is.not(stateOf(bytes), "paired");
    readAbout(bytes);
    readIdentity(bytes);
    faultOf(bytes.readInt32LE(300), bytes);
  }
});

test("10,000 damaged answers of its process: never a wrong paired, never an exception", () => {
  const random = seeded(3);
  const states = pairStates.filter((state) => state !== "paired");
  let survived = 0;
  for (let index = 0; index < 10_000; index++) {
    const state = states[index % states.length] ?? "unknown";
    const isPaired = index % 2 === 1;
    const view = isPaired ? {} : { state: layout.stateNumbers[state], percent: -1 };
    const whole = answerLine({ kind: "answer", id: 9, result: 0, bytes: answered(view) });
    const line = Buffer.from(damage(whole, random), "latin1");
    const answer = parseAnswer(line);
    if (answer?.kind !== "answer" || answer.id !== 9 || answer.result !== 0) continue;
    if (answer.bytes.length !== layout.sizes.mbv_query_call) continue;
    survived++;
    if (stateOf(answer.bytes) !== "paired") continue;
    assert.ok(isPaired, `paired of what was ${state}`);
  }
  assert.ok(survived > 100, `only ${survived} were still readable`);
});

test("requests go there and back; what is none is refused", () => {
  const { bytes } = identifyCall();
  const line = requestLine({ id: 3, call: "identify", bytes });
  assert.equal(parseRequest(Buffer.from(line)), { id: 3, call: "identify", bytes });
  const random = seeded(9);
  for (let index = 0; index < 2000; index++) parseRequest(Buffer.from(damage(line, random)));
  assert.is(parseRequest(Buffer.from(line.replace("identify", "about"))), null, "another size");
});

test.run();
