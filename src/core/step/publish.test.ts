/** What our own records say: the state, the paths they go out on, and the echo of every peer. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configFor, type SitesWish } from "../../testing/core-config.ts";
import { recordOf } from "../../testing/core-watch.ts";
import { type HeartbeatRecord, lagFar, lagNever, recordFlags, states } from "../sector/layout.ts";
import { step } from "../step.ts";
import { allOn, begin, type Setup } from "./begin.ts";
import { highWaterMarks } from "./marks.ts";
import { pathsOut } from "./paths.ts";
import { echoesFor } from "./publish.ts";
import type { Action, Input, State } from "./state.ts";

const setupOf = (host: string, wish: SitesWish, changes: Partial<Setup> = {}): Setup => ({
  config: configFor(host, wish),
  timingDigest: 9,
  incarnation: 5n,
  bootId: "b0070000-0000-4000-8000-000000000001",
  term: null,
  halfDone: false,
  nowMs: 0,
  marks: {},
  switches: allOn,
  ...changes,
});
const stateOf = (host: string, wish: SitesWish = {}, changes: Partial<Setup> = {}) =>
  begin(setupOf(host, wish, changes));

function after(state: State, ...inputs: readonly object[]): State {
  return inputs.reduce((now: State, input) => step(now, input as Input).state, state);
}
const good = (ms: number) => ({ kind: "good", beganMs: ms, endedMs: ms });
const byNetwork = (ms: number, record: HeartbeatRecord) => ({
  kind: "network-read",
  nowMs: ms,
  read: good(ms),
  records: [{ record, echoes: [] }],
});
const byMirror = (ms: number, record: HeartbeatRecord, mirror = "east") => ({
  kind: "mirror-read",
  mirror,
  nowMs: ms,
  read: good(ms),
  seen: [{ slot: record.slot, reading: { kind: "record", record, damaged: null }, echoes: [] }],
});
const beatOf = (state: State, kind = "beat", more: object = {}) => {
  const facts = { wallNs: 11n, bootNs: 22n, nonce: 33n };
  const result = step(state, { kind, nowMs: 50, ...facts, ...more } as Input);
  return result.actions.find((action) => action.kind === "publish") as
    | Extract<Action, { kind: "publish" }>
    | undefined;
};

const two: SitesWish = {
  osaka: ["osaka-1"],
  mirrors: { east: "tokyo>osaka", east2: "tokyo>osaka", west: "osaka>tokyo" },
};
const lagsOf = (state: State, slot = 0) => {
  const echo = echoesFor(state, "tokyo")[slot];
  return [echo?.lag0, echo?.lag1, echo?.lag2, echo?.lag7];
};

test("an echo names the newest record seen on any path, and how far each path lags", () => {
  const r = (serial: number) => recordOf(BigInt(serial), { nonce: BigInt(serial) });
  let state = after(
    stateOf("osaka-1", two),
    byNetwork(100, r(1)),
    byMirror(110, r(1)),
    byMirror(120, r(1), "east2"),
  );
  assert.equal(lagsOf(state), [lagNever, lagNever, lagNever, lagNever], "seen once: not yet fresh");
  state = after(state, byNetwork(1100, r(2)), byMirror(1110, r(2)), byMirror(1120, r(2), "east2"));
  assert.equal(lagsOf(state), [0, 0, 0, lagNever]);
  state = after(state, byNetwork(2100, r(5)), byMirror(2110, r(4)));
  assert.equal(lagsOf(state), [0, 1, 3, lagNever]);
  const echo = echoesFor(state, "tokyo")[0];
  assert.equal([echo?.incarnation, echo?.serial, echo?.nonce], [1n, 5n, 5n]);
});

test("lags end at 252; farther is far, and another incarnation is never", () => {
  const r = (serial: number, incarnation = 1n) => recordOf(BigInt(serial), { incarnation });
  const ok = after(
    stateOf("osaka-1", two),
    byNetwork(1, r(1)),
    byNetwork(2, r(2)),
    byMirror(3, r(1)),
    byMirror(4, r(2)),
  );
  assert.equal(lagsOf(after(ok, byNetwork(5, r(254)))).slice(0, 2), [0, 252]);
  assert.equal(lagsOf(after(ok, byNetwork(5, r(255)))).slice(0, 2), [0, lagFar]);
  assert.equal(lagsOf(after(ok, byNetwork(5, r(9999)))).slice(0, 2), [0, lagFar]);
  assert.equal(lagsOf(after(ok, byNetwork(5, r(1, 2n)))).slice(0, 2), [0, lagNever]);
});

test("echoes are dense up to the highest slot, and empty for whom nothing was seen of", () => {
  const state = stateOf("osaka-1", { tokyo: ["tokyo-1", "tokyo-2", "tokyo-3"] });
  const seen = after(state, byNetwork(1, recordOf(7n, { slot: 2, hostName: "tokyo-3" })));
  assert.equal(
    echoesFor(seen, "tokyo").map(({ serial }) => serial),
    [0n, 0n, 7n],
  );
  assert.equal(
    echoesFor(seen, "tokyo").map(({ incarnation }) => incarnation),
    [0n, 0n, 1n],
  );
  assert.equal(echoesFor(seen, "kyoto"), []);
});

test("a beat goes out on every path that is on and that we write", () => {
  assert.equal(pathsOut(stateOf("tokyo-1")), ["network", "east"]);
  assert.equal(pathsOut(stateOf("osaka-1")), ["network", "west"]);
  const off = { network: false, mirrors: { east: false }, hosts: {} };
  assert.equal(pathsOut(stateOf("tokyo-1", {}, { switches: off })), []);
  assert.equal(pathsOut(stateOf("tokyo-1", { network: false })), ["east"]);
  assert.equal(pathsOut(stateOf("tokyo-1", { mirrorOnly: ["tokyo-1"] })), ["east"]);
});

test("a record carries what the state decides, and the facts it was given", () => {
  const action = beatOf(stateOf("tokyo-1"));
  assert.is(action?.final, false);
  assert.is(action?.onlyTo, null);
  const { body } = action as NonNullable<typeof action>;
  assert.equal(
    [body.state, body.role, body.flags, body.serial, body.incarnation, body.term],
    [states.running, 0, 0, 1n, 5n, 257n],
  );
  assert.equal([body.wallClockNs, body.bootClockNs, body.nonce], [11n, 22n, 33n]);
  assert.equal([body.hostName, body.timingDigest, body.generation], ["tokyo-1", 9, 1n]);
});

test("each record takes the next serial", () => {
  let state = stateOf("tokyo-1");
  for (const expected of [1n, 2n, 3n]) {
    assert.is(beatOf(state)?.body.serial, expected);
    state = after(state, { kind: "beat", nowMs: 50, wallNs: 0n, bootNs: 0n, nonce: 0n });
  }
  assert.is(beatOf(state, "farewell", { paths: ["east"], onlyTo: null })?.body.serial, 4n);
});

test("a beacon says that it is one", () => {
  const wish = { tokyo: ["tokyo-1", "tokyo-b"], beacons: ["tokyo-b"] };
  assert.is(beatOf(stateOf("tokyo-b", wish))?.body.flags, recordFlags.beacon);
});

test("after stop every record is a final one and says leaving", () => {
  const state = after(stateOf("tokyo-1"), { kind: "stop", nowMs: 10 });
  const action = beatOf(state);
  assert.equal([action?.final, action?.body.state], [true, states.leaving]);
});

test("a host that is switched off is silent, but says farewell, and that it leaves", () => {
  const off = after(stateOf("tokyo-1"), {
    kind: "switch",
    nowMs: 10,
    target: { kind: "host", name: "tokyo-1" },
    on: false,
  });
  assert.is(beatOf(off), undefined);
  const farewell = beatOf(off, "farewell", { paths: ["network", "east"], onlyTo: null });
  assert.equal(
    [farewell?.final, farewell?.body.state, farewell?.body.flags],
    [true, states.disabled, 0],
  );
  assert.is(beatOf(after(off, { kind: "stop", nowMs: 20 }))?.body.state, states.leaving);
});

test("a farewell on a path marks that path as off, for one host where it names one", () => {
  const action = beatOf(stateOf("tokyo-1"), "farewell", { paths: ["network"], onlyTo: "osaka-2" });
  assert.equal([action?.paths, action?.onlyTo, action?.final], [["network"], "osaka-2", true]);
  assert.equal([action?.body.state, action?.body.flags], [states.running, recordFlags.pathOff]);
});

test("marks are kept for the next start: the highest of what was given and what was seen", () => {
  const at = (serial: bigint) => ({ incarnation: 1n, serial });
  const marks = { "tokyo-1 network": at(9n), "tokyo-1 east": at(3n) };
  const begun = stateOf("osaka-1", {}, { marks });
  assert.equal(highWaterMarks(begun), marks);
  const state = after(begun, byNetwork(1, recordOf(9n)), byMirror(2, recordOf(8n)));
  assert.equal(highWaterMarks(state), { "tokyo-1 network": at(9n), "tokyo-1 east": at(8n) });
  const refused = after(begun, byNetwork(1, recordOf(2n)));
  assert.equal(highWaterMarks(refused), marks, "a regression moves no mark");
});

test.run();
