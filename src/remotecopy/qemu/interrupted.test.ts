// test-limit-seconds: 240
/**
 * Each change is broken off after each of its phases, as if its process had died there: the reader
 * must not go on saying that it is paired while the writer copies nothing, and what is left can be
 * removed and made anew.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PairVerb } from "../../core/base/pair-settings.ts";
import { testWhere } from "../../testing/where.ts";
import type { MirrorEnd } from "../evidence.ts";
import { change, expectKind, known, makePaired, pause } from "../testing/conformance-tools.ts";
import { Carrier } from "./carry-out.ts";
import { type Ends, planOf } from "./choose.ts";
import { namesOf } from "./names.ts";
import type { Known, Phase, Station } from "./plan.ts";
import { parseAddress } from "./qmp.ts";
import { benchNeeds, makeQemuBench, type QemuBench } from "./testing/bench.ts";

const limitMs = 20_000;
const settleMs = 10_000;

const stationOf = (on: QemuBench, end: MirrorEnd, side: Station["side"]): Station => {
  const address = parseAddress(String(on.settings[end]["address"]));
  if (address?.kind !== "host") throw new Error("no address");
  return { side, names: namesOf(on.settings[end]), address };
};

/** As the provider at the writer's end has it. */
function carrierOf(on: QemuBench): { carrier: Carrier; look: () => Promise<Ends> } {
  const own = stationOf(on, "writer", "own");
  const peer = stationOf(on, "reader", "peer");
  const { writer, reader } = on.daemons;
  const access = {
    own: { kind: "path", path: writer.qmp },
    peer: { kind: "path", path: reader.monitor },
  } as const;
  const carrier = new Carrier(access, { own: own.names, peer: peer.names }, limitMs);
  const knownAt = async (station: Station): Promise<Known> => {
    const read = await carrier.look(station.side, station.side);
    if (!read?.ok) throw new Error(read?.message);
    return { station, facts: read.facts };
  };
  const look = async (): Promise<Ends> => ({
    copying: "synchronous",
    isWriter: true,
    own: await knownAt(own),
    peer,
    hasPeer: true,
    peerKnown: await knownAt(peer),
    peerFault: null,
  });
  return { carrier, look };
}

/** So many phases of a change, then nothing more; whether there are more than these. */
async function breakOff(on: QemuBench, verb: PairVerb, phases: number): Promise<boolean> {
  const { carrier, look } = carrierOf(on);
  let left = phases;
  const run = async (all: readonly Phase[]): Promise<boolean> => {
    const trouble = await carrier.run(all.slice(0, left));
    assert.is(trouble, null, trouble?.detail);
    const isMore = left < all.length;
    left -= all.length;
    return isMore;
  };
  const plan = planOf(verb, await look());
  if ("ok" in plan) throw new Error(plan.message);
  if (await run(plan.phases)) return true;
  if (!plan.andThen) return false;
  const next = plan.andThen(await look());
  if ("ok" in next) throw new Error(next.message);
  return run(next.phases);
}

async function expectHonest(on: QemuBench, where: string): Promise<void> {
  const endMs = performance.now() + settleMs;
  for (;;) {
    const [writer, reader] = [await known(on, "writer"), await known(on, "reader")];
    const states = [writer.local.state, reader.local.state];
    const isOne = states.every((state) => state === "paired" || state === "copying");
    if (!states.includes("paired") || isOne) return;
    // The mirror knows best: a secondary may be the later one to be told that it is paired.
    const primary = [writer, reader].find(({ local }) => local.role === "primary");
    if (primary?.local.state === "paired") return;
    if (performance.now() > endMs) throw new Error(`${where}: ${states.join(" and ")}`);
    await pause(50);
  }
}

let bench: QemuBench | null = null;
test.before(async () => {
  const made = await makeQemuBench();
  if (made.ok) bench = made.bench;
});
test.after(() => bench?.end());

const begins: Readonly<Partial<Record<PairVerb, "simplex" | "paired" | "split">>> = {
  create: "simplex",
  split: "paired",
  resync: "split",
  swap: "paired",
  remove: "paired",
};

for (const [verb, begin] of Object.entries(begins) as [PairVerb, string][]) {
  testWhere(test, benchNeeds, `${verb}, broken off after each phase`, async () => {
    if (!bench) throw new Error("no bench");
    const on = bench;
    let phases = 0;
    for (let isMore = true; isMore; phases++) {
      if (begin !== "simplex") await makePaired(on);
      if (begin === "split") expectKind(await change(on, "writer", "split"), ["done"], "split");
      isMore = await breakOff(on, verb, phases);
      await expectHonest(on, `${verb} after ${phases} phases`);
      for (const end of ["writer", "reader"] as const) {
        expectKind(await change(on, end, "remove"), ["done", "noop"], `remove after ${phases}`);
      }
    }
    assert.ok(phases > 3, `${phases} phases`);
  });
}

test.run();
