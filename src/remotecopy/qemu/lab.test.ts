// test-limit-seconds: 240
/**
 * Two agents over two real arrays, a LAN and a replication link that are really cut. At no time may
 * a takeover be offered: both sites live throughout.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { testWhere } from "../../testing/where.ts";
import {
  labNeeds,
  LabWorld,
  type Mirror,
  mirrors,
  readerOf,
  sites,
  writerOf,
} from "./testing/lab-world.ts";

type Step = readonly [name: string, run: (lab: LabWorld) => Promise<void>];

const bring = async (lab: LabWorld, verb: "install" | "deinstall", mirror: Mirror) => {
  const [writer, reader] = [writerOf(mirror), readerOf(mirror)];
  const [atWriter, atReader] = [lab.toldBy(writer).length, lab.toldBy(reader).length];
  const { code, err } = await lab.install(verb, mirror);
  assert.is(code, 0, err);
  const [written, read] =
    verb === "install"
      ? [
          ["pvol-registered", "enabled", "activation-sent", "acknowledged", "installed"],
          ["activation-received", "svol-registered", "enabled", "receipt-sent"],
        ]
      : [
          ["draining", "deactivation-sent", "acknowledged", "deregistered"],
          ["deactivation-received", "draining", "deregistered", "receipt-sent"],
        ];
  assert.equal(lab.stepsOf(writer, mirror, atWriter), written);
  assert.equal(lab.stepsOf(reader, mirror, atReader), read);
};

const steps: readonly Step[] = [
  [
    "no mirror is installed: both sites beat over the network alone",
    async (lab) => {
      for (const site of sites) await lab.startAndWait(site);
      await lab.untilRow("1");
      for (const site of sites) assert.equal(lab.registrations(site), {});
    },
  ],
  ["the pairs are made", (lab) => lab.changeAll("create")],
  [
    "both mirrors are installed: both sites beat on all paths",
    async (lab) => {
      for (const mirror of mirrors) await bring(lab, "install", mirror);
      for (const mirror of mirrors) await lab.untilOk(mirror);
      await lab.untilRow("1");
    },
  ],
  [
    "the LAN is cut: a partition, and calm",
    async (lab) => {
      await lab.cut("lan");
      await lab.untilRow("2");
      await lab.mend("lan");
      await lab.untilRow("1");
    },
  ],
  [
    "the link is cut: named as such, and calm",
    async (lab) => {
      await lab.cut("link");
      await lab.untilRow("3");
      for (const mirror of mirrors) {
        for (const site of sites) {
          const answer = await lab.query(mirror, site);
          assert.ok(answer.ok && answer.local.state === "suspended-by-error", `${mirror} ${site}`);
          assert.is(answer.remoteFault?.class, "peer-unreachable");
        }
      }
      await lab.mend("link");
    },
  ],
  [
    "resynchronised",
    async (lab) => {
      await lab.changeAll("resync");
      await lab.untilRow("1");
    },
  ],
  [
    "split by command: no alarm",
    async (lab) => {
      await lab.changeAll("split");
      await lab.untilRow("3b");
      await lab.changeAll("resync");
      await lab.untilRow("1");
    },
  ],
  [
    "one pair is swapped: its mirror no longer beats this way; and back",
    async (lab) => {
      await lab.change("swap", "tokyo-osaka", "osaka");
      await lab.untilRow("3b", "osaka");
      await lab.change("swap", "tokyo-osaka", "tokyo");
      await lab.untilRow("1");
    },
  ],
  [
    "both mirrors are removed, then their pairs: no alarm",
    async (lab) => {
      const from = sites.map((site) => lab.toldBy(site).length);
      for (const mirror of mirrors) await bring(lab, "deinstall", mirror);
      for (const site of sites) assert.equal(lab.registrations(site), {});
      await lab.changeAll("remove");
      await lab.untilRow("1");
      for (const [index, site] of sites.entries()) {
        assert.equal(lab.alarms(site, from[index] ?? 0), []);
      }
    },
  ],
];

testWhere(test, labNeeds, "two agents over real arrays, each fault in turn", async () => {
  const lab = await LabWorld.open("[timing]\ninterval_ms = 500", "--size", "2");
  try {
    for (const [name, run] of steps) {
      const beganMs = performance.now();
      try {
        await run(lab);
      } catch (error) {
        throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      assert.equal(lab.offers(), [], `${name}: a takeover was offered`);
      console.log(`${name}: ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
    }
  } finally {
    await lab.close();
  }
});

test.run();
