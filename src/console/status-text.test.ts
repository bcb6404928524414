/** The status as people read it: 80 columns, ASCII, verdict first, whatever the state. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Config } from "../core/base/config.ts";
import { begin } from "../core/step/begin.ts";
import type { Peer, State } from "../core/step/state.ts";
import { statusObject, type StatusExtras } from "../core/step/status.ts";
import { judgeEvidence, networkValues, mirrorValues, pairValues } from "../core/verdict.ts";
import { configFor, type SitesWish } from "../testing/core-config.ts";
import { statusText } from "./status-text.ts";

const extras = (changes: Partial<StatusExtras> = {}): StatusExtras => ({
  version: "0.1.0",
  pid: 4711,
  engine: "io_uring",
  wallNs: 1_795_332_664_120_000_000n,
  journalFault: null,
  devices: {
    east: { device: "/dev/disk/by-id/wwn-0x600508b4000a1b2a-part-of-a-long-name", fault: null },
    west: { device: "/dev/mapper/hb-west", fault: null, writesDone: 10, lastWriteMs: 1.5 },
  },
  droppedDatagrams: 0,
  ...changes,
});

function stateOf(host = "osaka-1", wish: SitesWish = {}): State {
  const config: Config = configFor(host, wish);
  return begin({
    config, timingDigest: 1, incarnation: 3n, bootId: "c0ffee00-1234-4567-89ab-0123456789ab",
    term: 257n, halfDone: false, nowMs: 1000, marks: {}, switches: { network: true, mirrors: {}, hosts: {} },
  }); // biome-ignore format: one list
}

const eachPeer = (state: State, change: (peer: Peer) => Partial<Peer>): State => ({
  ...state,
  peers: state.peers.map((peer) => ({ ...peer, ...change(peer) })),
});

function checked(state: State, more: Partial<StatusExtras> = {}): string {
  const text = statusText(statusObject(state, extras(more)));
  assert.ok(text.endsWith("\n"));
  for (const line of text.slice(0, -1).split("\n")) {
    assert.ok(line.length <= 80, `${line.length}: ${line}`);
    assert.match(line, /^[\x20-\x7e]*$/, line);
    assert.not.match(line, /undefined|NaN|\[object|Infinity/);
  }
  assert.match(text, /^VERDICT {2}site /);
  assert.match(text, /\nnext: .+\n$/);
  return text;
}

test("an agent that has just begun", () => {
  const text = checked(stateOf());
  assert.match(text, "VERDICT  site tokyo: not judged yet (row -)");
  assert.match(text, "TERM     257, owned by tokyo");
  assert.match(checked(stateOf("tokyo-1")), "ROLE     STARTING");
});

test("every verdict of the table, at the host and at the group", () => {
  for (const network of networkValues) {
    for (const mirror of mirrorValues) {
      for (const pair of pairValues) {
        const verdict = judgeEvidence({
          network, mirror, pair, observer: "fit", linkProven: true, arbiter: "none", lastWord: "running",
        }); // biome-ignore format: one list
        const state = eachPeer(stateOf(), () => ({ verdict }));
        const text = checked({ ...state, groups: { tokyo: verdict } });
        assert.match(text, `(row ${verdict.row})`);
        assert.match(text, verdict.verdict);
      }
    }
  }
});

test("30 hosts, long names, large numbers", () => {
  const tokyo = Array.from({ length: 30 }, (_, n) => `storage-host-${String(n).padStart(2, "0")}`);
  const mirrors = Object.fromEntries(
    Array.from({ length: 7 }, (_, n) => [
      `a-long-mirror-${n}`.slice(0, 15),
      "tokyo>osaka" as const,
    ]),
  );
  const state = stateOf("osaka-1", { tokyo, beacons: ["storage-host-07"], mirrors });
  const huge = 18_446_744_073_709_551_615n;
  const large = eachPeer({ ...state, nowMs: 9e11, term: huge, serial: huge }, (peer) => ({
    sightings: Object.fromEntries(
      Object.entries(peer.sightings).map(([path, sighting]) => [
        path,
        {
          ...sighting,
          status: "io-error" as const,
          position: { incarnation: huge, serial: huge },
          arrivals: [{ atMs: 5, serial: huge }],
        },
      ]),
    ),
    echo: { incarnation: 1n, serial: 1n, lags: [254, 0, 3, 253], writtenSerial: 1n },
  }));
  const text = checked(large);
  for (const host of tokyo) assert.ok(text.includes(host), host);
  assert.ok(text.includes("storage-host-07*"), "beacons are marked");
});

test("faults of our own: devices, journal, floods, rejections, unfit observers, switches", () => {
  const refusal =
    "/dev/mapper/hb-west: superblock: checksum wrong; its backup is good: mirrorbeat format --repair /dev/mapper/hb-west";
  const devices = {
    east: { device: "/dev/mapper/hb-östlich\u0007", fault: "hung" },
    west: { device: "/dev/x", fault: refusal },
  };
  const base = stateOf();
  const network = base.paths["network"];
  if (!network) throw new Error("a network path");
  const state: State = {
    ...base,
    takeover: { id: 1, term: 514n, phase: "publishing", serial: 1n, deadlineMs: 5 },
    roleReason: "x".repeat(300),
    paths: {
      ...base.paths,
      network: {
        ...network,
        enabled: false,
        watch: { ...network.watch, health: 7, failure: "hung" },
      },
    },
    rejected: {
      "network forged": { count: 123_456_789, toldMs: 1 },
      "east checksum": { count: 1, toldMs: 1 },
    },
  };
  const text = checked(state, { devices, journalFault: "ENOSPC", droppedDatagrams: 9 });
  for (const part of [
    "not believed: network forged, 123456789 times",
    "journal cannot be written: ENOSPC",
    "9 datagrams dropped",
    "takeover: publishing",
    "! hung",
  ])
    assert.ok(text.includes(part), `${part} in\n${text}`);
  checked(eachPeer(base, () => ({ enabled: false })));
});

test("what is not known is a dash or a word, never a number", () => {
  const status = statusObject(stateOf(), extras());
  const json = JSON.parse(JSON.stringify(status)) as typeof status;
  assert.is(statusText(json), statusText(status), "the same over the socket as in the process");
  assert.is(status.schema, 1);
  assert.is(status.sites[0]?.hosts[0]?.paths[0]?.serial, null);
});

test.run();
