/** The status as people read it: 80 columns, ASCII, verdict first, whatever the state. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Config } from "../core/base/config.ts";
import { begin } from "../core/step/begin.ts";
import type { PairView, Peer, State } from "../core/step/state.ts";
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
    echo: {
      incarnation: 1n,
      serial: 1n,
      nonce: 1n,
      term: 257n,
      lags: [254, 0, 3, 253],
      writtenSerial: 1n,
    },
  }));
  const text = checked(large);
  for (const host of tokyo) assert.ok(text.includes(host), host);
  assert.ok(text.includes("storage-host-07*"), "beacons are marked");
});

/** The same configuration with a provider for every pair. */
function withPairs(state: State, provider: "embedded" | "horcm"): State {
  const mirrors = state.config.mirrors.map((mirror) => ({
    ...mirror,
    pair: { provider } as unknown as typeof mirror.pair,
  }));
  return { ...state, config: { ...state.config, mirrors } };
}

const viewOf = (state: PairView["state"], facts: Partial<PairView["facts"]> = {}): PairView => ({
  state,
  observedMs: 1000,
  facts: { role: "primary", native: "P-VOL PAIR", percent: 100, cause: "", ...facts },
  toldCause: "",
  toldMs: 0,
});

test("pairs: whose word, how old, and whether it counts", () => {
  const base = withPairs({ ...stateOf(), nowMs: 5000 }, "embedded");
  assert.match(checked(base), "\nPAIR  east  not answered yet  embedded\n");
  const well = checked({ ...base, pairs: { east: viewOf("paired") } });
  assert.match(
    well,
    '\nPAIR  east  role primary  paired 100%  "P-VOL PAIR"  age 4.0s  OK  embedded\n',
  );
  const cause = "the remote link is down: no answer from array 411002 since 07:31:04";
  const bad = viewOf("suspended", { native: "PSUE", percent: null, cause });
  const ill = checked({ ...base, pairs: { east: bad } });
  assert.match(ill, 'PAIR  east  role primary  suspended  "PSUE"  age 4.0s  !  embedded\n');
  assert.match(ill, `\n             ! ${cause}`.slice(0, 70));
  const old = checked({ ...base, nowMs: 61_000, pairs: { east: viewOf("paired") } });
  assert.match(
    old,
    "  age 60s  OLD  embedded\n             ! no younger answer: it counts as unknown",
  );
  const none = checked({ ...stateOf(), pairs: { east: viewOf("unknown") } });
  assert.not.match(none, "\nPAIR ", "no provider, no pair to speak of");
});

test("pairs with long names and words keep their age and their mark", () => {
  const wish = { mirrors: { "a-long-mirror-1": "tokyo>osaka" } } as const;
  const base = withPairs({ ...stateOf("osaka-1", wish), nowMs: 8e6 }, "embedded");
  const native = "SUSPENDED - host intervention required (consistency group 12)";
  const view = viewOf("suspended", { role: "secondary", native, cause: "x".repeat(300) });
  const text = checked({ ...base, pairs: { "a-long-mirror-1": { ...view, observedMs: 8e6 - 1 } } });
  assert.match(text, /PAIR {2}a-long-mirror-1 {2}role secondary .* age 0\.0s {2}! .*\n/);
});

test("a one-way fault: in words, in the column, one line a path", () => {
  const lost = (lostMs: number) => ({
    view: "lost" as const,
    sinceMs: lostMs,
    incarnation: 1n,
    lostMs,
  });
  const base = eachPeer({ ...stateOf(), nowMs: 13_000 }, () => ({
    echo: {
      incarnation: 3n,
      serial: 9n,
      nonce: 1n,
      term: 257n,
      lags: [255, 253],
      writtenSerial: 5n,
    },
  }));
  const to = checked({ ...base, oneWay: { "tokyo-1 network to": lost(1000) } });
  assert.match(to, "NOTE     one-way: tokyo-1 does not hear us on network (12s)\n");
  assert.match(to, /\ntokyo-1 .* NO 12s\n/);
  assert.match(to, / OUT +west +- +- +off\n/);
  const from = checked({
    ...base,
    oneWay: { "tokyo-1 east from": lost(1000), "tokyo-2 east from": lost(3000) },
  });
  assert.match(from, "NOTE     one-way: tokyo-1 and 1 more are not heard on east (12s)\n");
  const heard = eachPeer(base, (peer) => ({
    echo: peer.echo ? { ...peer.echo, lags: [0, 1] } : null,
  }));
  const half = checked({ ...heard, oneWay: { "tokyo-2 east from": lost(3000) } });
  assert.match(half, "one-way: tokyo-2 is not heard on east (10s), but hears us\n");
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
    takeover: {
      id: 1,
      term: 514n,
      phase: "publishing",
      by: "operator",
      attested: "",
      waitUntilMs: null,
      serial: 1n,
      deadlineMs: 5,
    },
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

test("what should be known of a device is a note", () => {
  const note = "multipath map hb-tokyo queues without a path: no_path_retry fail";
  const devices = { east: { device: "/dev/mapper/hb-tokyo", fault: null, note } };
  assert.ok(checked(stateOf(), { devices }).includes(`NOTE     east: ${note}`.slice(0, 79)));
});

test("what is not known is a dash or a word, never a number", () => {
  const status = statusObject(stateOf(), extras());
  const json = JSON.parse(JSON.stringify(status)) as typeof status;
  assert.is(statusText(json), statusText(status), "the same over the socket as in the process");
  assert.is(status.schema, 1);
  assert.is(status.sites[0]?.hosts[0]?.paths[0]?.serial, null);
});

test.run();
