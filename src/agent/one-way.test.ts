// test-limit-seconds: 120
/** One-way faults between real agents: both ends name the path and the direction, and only then. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { oneWayBoundMs } from "../core/base/timing.ts";
import { longMs, withWorld, type World } from "../testing/agent-world.ts";

/** A busy machine's own stalls are no silence here. */
const calm = { marginMs: 1200 };

const saidSince = (world: World, name: string, sinceMs: number): string[] =>
  world
    .events(name, "one-way", sinceMs)
    .map(({ fields: f }) => `${f["host"]} ${f["path"]} ${f["direction"]} ${f["state"]}`);

const untilSaid = (world: World, name: string, sinceMs: number, text: string) =>
  world.until(
    `${name} says: ${text}`,
    () => saidSince(world, name, sinceMs).includes(text),
    oneWayBoundMs(world.timing) + longMs,
  );

test("one way of the LAN cut: both ends say it, show it, and take it back; no verdict follows", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    world.lan.cut("a1", "b1");
    await untilSaid(world, "a1", fromMs, "b1 network to lost");
    await untilSaid(world, "b1", fromMs, "a1 network from lost");
    assert.equal([world.row("a1", "b"), world.row("b1", "a")], ["1", "2"]);
    const { out } = await world.verb("a1", "status");
    assert.match(out, /NOTE {5}one-way: b1 does not hear us on network \([\d.]+s\)/);
    assert.match(out, / NO [\d.]+s\n/);
    const there = await world.verb("b1", "status");
    assert.match(there.out, /one-way: a1 is not heard on network \([\d.]+s\), but hears us\n/);
    world.lan.heal();
    await untilSaid(world, "a1", fromMs, "b1 network to ok");
    await untilSaid(world, "b1", fromMs, "a1 network from ok");
    for (const name of ["a1", "b1"]) assert.is(saidSince(world, name, fromMs).length, 2, name);
  }));

test("a mirror's link cut: the writer names it, the reader too; the pair's words are told", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await world.copier("a-b", "cut");
    await untilSaid(world, "a1", fromMs, "b1 a-b to lost");
    await untilSaid(world, "b1", fromMs, "a1 a-b from lost");
    const told = world.events("b1", "one-way", fromMs).at(-1)?.fields;
    assert.equal([told?.["seen"], told?.["hears"]], ["stale", "network,b-a"]);
    await world.until("the pair is told with its words", () =>
      world
        .events("b1", "pair", fromMs)
        .some(({ fields }) => fields["mirror"] === "a-b" && fields["role"] && fields["native"]),
    );
    const { out } = await world.verb("b1", "status");
    assert.match(out, /\nPAIR {2}a-b {2}role \w+ {2}\w+.* {2}age [\d.]+s {2}! {2}embedded\n/);
    assert.match(out, /\nPAIR {2}b-a {2}role \w+ {2}paired.* {2}age [\d.]+s {2}OK {2}embedded\n/);
    await world.copier("a-b", "heal");
    await world.copier("a-b", "resync");
    await untilSaid(world, "a1", fromMs, "b1 a-b to ok");
    await untilSaid(world, "b1", fromMs, "a1 a-b from ok");
  }));

test("both ways of the LAN cut, and a restart of one side: no one-way fault", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    const beats = BigInt(Math.ceil(oneWayBoundMs(world.timing) / world.timing.intervalMs));
    const serial = async () => BigInt((await world.status("a1")).serial);
    const forTheBound = async (what: string) => {
      const until = (await serial()) + beats;
      await world.until(what, async () => (await serial()) > until, longMs);
    };
    world.lan.cut("*", "*");
    await world.untilRow("b1", "a", "2");
    await forTheBound("time enough to say something of the cut");
    world.lan.heal();
    await world.untilRow("b1", "a", "1");
    await world.killHost("b1");
    await world.start("b1");
    await world.untilRow("b1", "a", "1");
    await forTheBound("time enough to say something of the restart");
    assert.equal([saidSince(world, "a1", fromMs), saidSince(world, "b1", fromMs)], [[], []]);
  }));

test.run();
