/** What the cluster says and what it means, whole and damaged. */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { damaged } from "../testing/damage.ts";
import { meaningOf } from "./meaning.ts";
import { parseInfo, parseStatus, replayOf } from "./parse.ts";

const folder = "fixtures/remotecopy/rbd";
const read = (file: string): string => readFileSync(`${folder}/${file}`, "utf8");
const wallMs = Date.UTC(2026, 0, 2, 3, 4, 10);

function meaning(infoText: string, statusText: string) {
  const info = parseInfo(infoText);
  const status = parseStatus(statusText);
  return info?.mirroring && status && info.mirroring.globalId === status.globalId
    ? meaningOf(info, status, wallMs)
    : null;
}

const sample = (name: string) => [read(`${name}.info.json`), read(`${name}.status.json`)] as const;
const stateOf = (infoText: string, statusText: string): string =>
  meaning(infoText, statusText)?.local.state ?? "none";

/** Sample, state, role, inSync, what the cause says, state of the remote view or none. */
const golden = [
  ["primary-paired", "paired", "primary", true, "", "paired"],
  ["primary-behind", "paired", "primary", false, "", "paired"],
  ["secondary-paired", "paired", "secondary", null, "", "paired"],
  ["secondary-syncing", "copying", "secondary", false, "", "copying"],
  ["secondary-split-brain", "suspended-by-error", "secondary", null, "split-brain", "suspended-by-error"],
  ["primary-split-brain-stopped", "suspended-by-error", "primary", null, "split-brain", "suspended-by-error"],
  ["primary-peer-error", "suspended-by-error", "primary", null, "timed out", "suspended-by-error"],
  ["primary-peer-down", "unknown", "primary", null, "is gone (down+replaying)", "none"],
  ["primary-no-peer", "unknown", "primary", null, "no other site", "none"],
  ["primary-daemon-down", "unknown", "primary", null, "is gone (down+stopped)", "unknown"],
  ["primary-never-updated", "unknown", "primary", null, "clocks", "unknown"],
  ["primary-from-the-future", "unknown", "primary", null, "clocks", "unknown"],
  ["primary-snapshot", "unknown", "primary", null, "snapshots", "unknown"],
  ["primary-mode-untold", "unknown", "primary", null, "not told", "unknown"],
  ["primary-disabling", "unknown", "primary", null, "disabling", "unknown"],
  ["both-primary", "takeover", "primary", null, "both ends are primary", "takeover"],
  ["both-secondary", "suspended-by-operator", "secondary", null, "neither end", "suspended-by-operator"],
  ["primary-daemon-behind", "unknown", "primary", null, "do", "unknown"],
  ["secondary-daemon-behind", "unknown", "secondary", null, "do", "unknown"],
  ["primary-cut-description", "unknown", "primary", null, "not understood", "unknown"],
] as const; // biome-ignore format: a table

test("each sample means what it says", () => {
  for (const [name, state, role, inSync, cause, remote] of golden) {
    const told = meaning(...sample(name));
    assert.is(told?.local.state, state, name);
    assert.is(told?.local.role, role, name);
    assert.is(told?.local.inSync, inSync, name);
    assert.is(told?.local.writable, role === "primary", name);
    assert.ok(told?.local.cause.includes(cause), `${name}: ${told?.local.cause}`);
    assert.is((told?.local.cause ?? "") === "", cause === "", name);
    assert.is(told?.remote?.state ?? "none", remote, name);
  }
  const samples = readdirSync(folder).filter((file) => file.endsWith(".status.json"));
  assert.is(golden.length, samples.length, "each sample is in the table");
});

test("words, percent and the age of what it rests on", () => {
  assert.is(parseInfo(read("disabled.info.json"))?.mirroring, null);
  const paired = meaning(...sample("primary-paired"));
  assert.is(paired?.local.native, "primary, up+stopped");
  assert.is(paired?.remote?.native, "secondary, up+replaying");
  assert.is(paired?.ageMs, 20_000, "the peer's line is older");
  assert.is(paired?.local.percent, 100);
  assert.is(meaning(...sample("secondary-syncing"))?.local.percent, 43);
});

test("a key that is there twice, an endless or a nested text: not understood", () => {
  const [info, status] = sample("primary-paired");
  const twice = status.replace('"state":"up+stopped"', '"state":"up+error","state":"up+stopped"');
  assert.is.not(parseStatus(status), null);
  assert.is(parseStatus(twice), null);
  assert.is(parseInfo(info.replace('"primary":true', '"primary":false,"primary":true')), null);
  assert.is(parseStatus("[".repeat(100_000)), null);
});

test("a replay is understood whole or not at all", () => {
  assert.equal(replayOf("replaying"), { behind: null });
  assert.equal(replayOf("replaying, {}"), { behind: null });
  assert.equal(replayOf('replaying, {"entries_behind_primary":3}'), { behind: 3 });
  const strange = ["", "replaying,", "replaying, 1", 'replaying, {"entries_behind_primary":"0"}'];
  for (const text of strange) assert.is(replayOf(text), undefined, text);
});

/** A value of JSON: what stands between its quotes. */
const cell = /:"((?:[^"\\]|\\.)*)"/g;

test("10,000 damaged statuses of what is not paired never say paired", () => {
  const others = golden.filter(([, state]) => state !== "paired");
  const each = Math.ceil(10_000 / others.length);
  others.forEach(([name], index) => {
    const [info, status] = sample(name);
    for (const text of damaged(status, cell, each, index)) {
      // Where only a time stood in the way, damage can make it another time.
      if (/never-updated|from-the-future/.test(name)) meaning(info, text);
      else assert.is.not(stateOf(info, text), "paired", `${name}: ${text}`);
    }
  });
});

test("10,000 damaged statuses of a pair: paired only by words that are all still there", () => {
  let understood = 0;
  for (const name of ["primary-paired", "secondary-paired"] as const) {
    const [info, status] = sample(name);
    for (const text of damaged(status, cell, 5000, 77)) {
      if (stateOf(info, text) !== "paired") continue;
      understood += 1;
      for (const word of ['"up+stopped"', '"up+replaying"', '"local image is primary"']) {
        assert.ok(text.includes(word), `${name}: ${text}`);
      }
    }
  }
  assert.ok(understood > 100, "some damage is of no account");
});

test("10,000 damaged infos: paired only as primary by journal under the same id", () => {
  const [info, status] = sample("primary-paired");
  for (const text of damaged(info, cell, 10_000, 5)) {
    if (stateOf(text, status) !== "paired") continue;
    const needed = ['"mode":"journal"', '"state":"enabled"', '"global_id":"g1"', '"primary":true'];
    const dense = text.replaceAll(/\s/g, "");
    for (const word of needed) assert.ok(dense.includes(word), text);
  }
  const [snapshotInfo, snapshotStatus] = sample("primary-snapshot");
  for (const text of damaged(snapshotInfo, cell, 1000, 6)) {
    assert.is.not(stateOf(text, snapshotStatus), "paired", text);
  }
});

test.run();
