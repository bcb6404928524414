/** Every status at every role, access, groups, and each end in the light of the other. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { directedEvidence } from "../evidence.ts";
import type { PairView } from "../provider.ts";
import type { Row } from "./pairdisplay.ts";
import { readSettings } from "./settings.ts";
import { identityOf, partnerFault, reconciled, rowsOfSide, viewOf } from "./view.ts";

const row = (change: Partial<Row>): Row => ({
  group: "HBA",
  device: "hb_a",
  side: "L",
  serial: "411001",
  ldev: "1a01",
  role: "P-VOL",
  status: "PAIR",
  fence: "NEVER",
  percent: 100,
  partnerSerial: null,
  partnerLdev: "2b01",
  mark: null,
  mode: null,
  ...change,
});
const simplex = row({ role: "SMPL", status: null, fence: null, percent: null, partnerLdev: null });

function view(...changes: readonly Partial<Row>[]): PairView {
  const found = viewOf(changes.map(row));
  if ("class" in found) throw new Error(found.message);
  return found;
}

const brief = ({ state, role, readable, writable, inSync }: PairView): string =>
  [state, role, readable, writable, inSync].join(" ");

test("every status at every role, fence NEVER", () => {
  for (const [role, status, wanted] of [
    ["P-VOL", "COPY", "copying primary true true false"],
    ["P-VOL", "RCPY", "copying primary true true false"],
    ["P-VOL", "PAIR", "paired primary true true true"],
    ["P-VOL", "PFUL", "paired primary true true false"],
    ["P-VOL", "PSUS", "suspended-by-operator primary true true false"],
    ["P-VOL", "PSUE", "suspended-by-error primary true true false"],
    ["P-VOL", "PDUB", "suspended-by-error primary true true false"],
    ["P-VOL", "PFUS", "suspended-by-error primary true true false"],
    ["P-VOL", "SSUS", "unknown primary   "],
    ["P-VOL", "SSWS", "unknown primary   "],
    ["S-VOL", "COPY", "copying secondary true false false"],
    ["S-VOL", "RCPY", "copying secondary true false false"],
    ["S-VOL", "PAIR", "paired secondary true false "],
    ["S-VOL", "PFUL", "paired secondary true false false"],
    ["S-VOL", "SSUS", "suspended-by-operator secondary true  false"],
    ["S-VOL", "PSUS", "suspended-by-operator secondary true  false"],
    ["S-VOL", "PSUE", "suspended-by-error secondary true false false"],
    ["S-VOL", "PDUB", "suspended-by-error secondary true false false"],
    ["S-VOL", "PFUS", "suspended-by-error secondary true false false"],
    ["S-VOL", "SSWS", "takeover secondary true true false"],
    ["P-VOL", "HOLD", "unknown primary   "],
    ["S-VOL", "constructor", "unknown secondary   "],
    ["S-VOL", "pair", "unknown secondary   "],
    ["S-VOL", "PAIR*", "unknown secondary   "],
  ] as const) {
    const found = view({ role, status });
    assert.is(brief(found), wanted, `${role} ${status}`);
    const needsCause = found.state === "unknown" || found.state === "suspended-by-error";
    assert.is(found.cause !== "", needsCause, `cause of ${status}: ${found.cause}`);
  }
  const none = viewOf([simplex]);
  assert.ok(!("class" in none));
  assert.is(brief(none as PairView), "simplex none true true ");
});

test("fence: what a lost pair does to the P-VOL's writes", () => {
  const writable = (fence: string) => view({ status: "PSUE", fence }).writable;
  assert.equal(["NEVER", "ASYNC", "STATUS", "DATA"].map(writable), [true, true, null, false]);
});

test("asynchronous: the S-VOL lags; percent is the journal's, not the copy's", () => {
  const found = view({ fence: "ASYNC", percent: 12 });
  assert.is(found.inSync, null);
  assert.is(found.percent, 100);
  assert.is(view({ fence: "ASYNC", status: "PFUL" }).inSync, false);
  assert.is(view({ status: "COPY", percent: 40 }).percent, 40);
  assert.is(view({ status: "COPY", percent: null }).percent, null);
  assert.is(view({ fence: "NEXER" }).inSync, null, "a fence that is not known promises nothing");
  assert.is(view({ percent: 98 }).inSync, null, "synchronous PAIR below 100 is in doubt");
});

test("marks: an S-VOL opened for writing, and one that may not be read", () => {
  assert.is(view({ role: "S-VOL", status: "SSUS", mark: "W" }).writable, true);
  assert.is(view({ role: "S-VOL", status: "COPY", mark: "N" }).readable, false);
});

test("global-active device: the I/O mode tells what a host may do", () => {
  const mode = (role: Row["role"], status: string, text: string) =>
    brief(view({ role, status, mode: text }));
  assert.is(mode("S-VOL", "PAIR", "L/M"), "paired secondary true true ");
  assert.is(mode("S-VOL", "PAIR", "B/B"), "paired secondary false false ");
  assert.is(mode("S-VOL", "SSWS", "L/L"), "takeover secondary true true false");
  assert.is(mode("S-VOL", "PAIR", "?/M"), "paired secondary   ");
  const blocked = view({ status: "PSUS", mode: "B/B" });
  assert.is(blocked.writable, false);
  assert.match(blocked.cause, "taken over");
});

test("a group: alike or mixed; PAIR never hides PSUS", () => {
  const mixed = viewOf([row({}), row({ device: "hb_b", ldev: "1a02", status: "PSUS" })]);
  assert.ok("class" in mixed && mixed.class === "mixed-group");
  assert.match("class" in mixed ? mixed.message : "", "hb_b P-VOL PSUS");
  const roles = viewOf([row({}), row({ device: "hb_b", role: "S-VOL" })]);
  assert.ok("class" in roles && roles.class === "mixed-group");
  const half = viewOf([row({}), simplex]);
  assert.ok("class" in half && half.class === "mixed-group");
  assert.is(view({ status: "COPY", percent: 70 }, { status: "RCPY", percent: 30 }).percent, 30);
  assert.is(view({}, { status: "PFUL" }).native, "P-VOL PAIR, P-VOL PFUL NEVER");
  const some = view({ status: "PSUE", fence: "NEVER" }, { status: "PSUE", fence: "DATA" });
  assert.is(some.writable, false, "one that may not be written is enough");
});

test("an answer is for the group, the device and the number that were asked for", () => {
  const settings = readSettings({ group: "HBA", volumes: 2 });
  const two = [row({ device: "hb_b", ldev: "1a02" }), row({})];
  const found = rowsOfSide(two, "L", settings);
  assert.ok(found.ok && identityOf(found.rows) === "411001/1a01,411001/1a02");
  const classOf = (rows: readonly Row[], own = settings) => {
    const read = rowsOfSide(rows, "L", own);
    return read.ok ? "ok" : read.class;
  };
  assert.is(classOf([row({})]), "unparseable", "one is missing");
  assert.is(classOf([...two, row({ device: "hb_c" })]), "config", "one too many");
  assert.is(classOf([row({}), row({ group: "HBB" })]), "unparseable");
  const one = readSettings({ group: "HBA", device: "hb_b", volumes: 2 });
  assert.is(classOf([row({})], one), "unparseable", "another device");
  assert.is(classOf([row({ device: "hb_b" })], one), "ok");
});

test("the other end's rows must be of this pair", () => {
  const far = row({ side: "R", role: "S-VOL", ldev: "2b01", partnerLdev: "1a01" });
  assert.is(partnerFault([row({})], [far]), null);
  for (const wrong of [{ ldev: "2b02" }, { partnerLdev: "1a02" }, { device: "hb_x" }]) {
    assert.is(partnerFault([row({})], [{ ...far, ...wrong }])?.class, "identity");
  }
  assert.is(partnerFault([simplex], [simplex]), null);
});

const both = (p: Partial<Row>, s: Partial<Row>) =>
  reconciled({ local: view({ role: "P-VOL", ...p }), remote: view({ role: "S-VOL", ...s }) });

test("an S-VOL in PAIR is in sync only if the P-VOL agrees", () => {
  assert.is(both({}, {}).remote.inSync, true);
  assert.is(both({}, {}).local.inSync, true);
  const lagging = both({ fence: "ASYNC" }, { fence: "ASYNC" });
  assert.is(lagging.remote.inSync, null);
  assert.is(lagging.remote.state, "paired");
  assert.is(both({ status: "PFUL" }, {}).remote.inSync, false);
});

test("trap: the S-VOL stays PAIR while the P-VOL is PSUE: the P-VOL's status is the pair's", () => {
  const { local, remote } = both({ status: "PSUE" }, {});
  assert.is(local.state, "suspended-by-error");
  assert.is(remote.state, "suspended-by-error");
  assert.is(remote.inSync, false);
  assert.match(remote.cause, "P-VOL PSUE");
  assert.is(both({ status: "PSUS" }, {}).remote.state, "suspended-by-operator");
});

test("P-VOL PSUS beside S-VOL SSWS: the other end took over, and that is said", () => {
  const { local, remote } = both({ status: "PSUS" }, { status: "SSWS" });
  assert.match(local.cause, "took over (S-VOL SSWS NEVER)");
  assert.is(remote.state, "takeover");
});

test("ends that contradict each other are no pair", () => {
  assert.is(both({}, { status: "SSWS" }).local.state, "unknown");
  assert.is(both({}, { status: "SSUS" }).local.state, "unknown");
  assert.is(both({}, { role: "P-VOL" }).local.state, "unknown");
  assert.is(both({}, { role: "P-VOL" }).remote.state, "unknown");
  assert.is(both({ status: "COPY", percent: 50 }, {}).remote.state, "copying");
  const gone = reconciled({
    local: view({ role: "S-VOL" }),
    remote: viewOf([simplex]) as PairView,
  });
  assert.is(gone.local.state, "unknown");
  assert.match(gone.local.cause, "there SMPL");
});

test("the evidence for a heartbeat's own direction", () => {
  assert.is(directedEvidence(view({}), "writer"), "paired");
  assert.is(directedEvidence(view({ role: "S-VOL" }), "writer"), "split");
  assert.is(directedEvidence(view({ role: "S-VOL", status: "SSWS" }), "reader"), "split");
  assert.is(directedEvidence(view({ status: "HOLD" }), "writer"), "unknown");
});

test.run();
