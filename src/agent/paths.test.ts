// test-limit-seconds: 200
/** Paths alone, cut, switched off and on, and orderly stops: what follows, and what must not. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { slotOf } from "../testing/agent-sectors.ts";
import { pause, withWorld, type World } from "../testing/agent-world.ts";

/** A busy machine's own stalls are no silence here. */
const calm = { marginMs: 1600 };
/** Time in which a path that should be silent would have spoken often. */
const listenMs = 1200;

const written = (world: World, mirror: string, slot = 0): bigint =>
  slotOf(world.volume(mirror, "pvol"), slot).newest().serial;
const arrived = (world: World, mirror: string, slot = 0): bigint =>
  slotOf(world.volume(mirror, "svol"), slot).newest().serial;

async function advances(world: World, what: string, serial: () => bigint): Promise<void> {
  const before = serial();
  await world.until(`${what} advances`, () => serial() > before + 3n);
}

async function expectSwitch(
  world: World,
  host: string,
  on: boolean,
  ...target: readonly string[]
): Promise<void> {
  const { code, err } = await world.verb(host, on ? "enable" : "disable", ...target);
  assert.is(code, 0, err);
}

async function pathStatus(world: World, observer: string, of: string, path: string) {
  const status = await world.status(observer);
  const host = status.sites.flatMap((site) => site.hosts).find((each) => each.host === of);
  return host?.paths.find((each) => each.path === path);
}

const untilPath = (world: World, observer: string, of: string, path: string, wanted: string) =>
  world.until(
    `${observer} sees ${of} on ${path}: ${wanted}`,
    async () => (await pathStatus(world, observer, of, path))?.status === wanted,
  );

test("all IP cut: the serial at the SVOL still advances, and the peer is alive", () =>
  withWorld({}, async (world) => {
    await world.beating();
    world.lan.cut("*", "*");
    await world.untilRow("b1", "a", "2");
    await world.untilRow("a1", "b", "2");
    await advances(world, "the SVOL of a-b", () => arrived(world, "a-b"));
    await advances(world, "the SVOL of b-a", () => arrived(world, "b-a"));
    const { out, code } = await world.verb("b1", "status");
    assert.is(code, 0);
    assert.match(out.split("\n")[0] ?? "", "network partition (row 2)");
  }));

test("one direction of the LAN cut: both ends tell it, each by its own evidence", () =>
  withWorld({}, async (world) => {
    await world.beating();
    world.lan.cut("a1", "b1");
    await world.untilRow("b1", "a", "2");
    assert.is(world.row("a1", "b"), "1");
    // What b1 lost, a1 reads in b1's echo: on the network it is seen no more.
    await world.until("a1 learns that it is not heard", async () => {
      const path = await pathStatus(world, "a1", "b1", "network");
      return path?.status === "ok" && path.echoLagBeats === null;
    });
  }));

test("the mirror alone, and the network alone, give a verdict each", async () => {
  await withWorld({ top: () => "network = false\n" }, async (world) => {
    await world.start("a1", "b1");
    await world.untilRow("b1", "a", "2b");
    await world.untilRow("a1", "b", "2b");
    assert.is(world.lan.sent("a1", "b1"), 0, "no datagram where the network is off");
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
  });
  await withWorld({ mirrors: [] }, async (world) => {
    await world.start("a1", "b1");
    await world.untilRow("b1", "a", "1");
    await world.killHost("a1");
    await world.untilRow("b1", "a", "10");
  });
});

test("the network off and on while running: datagrams follow, nobody is alarmed", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await expectSwitch(world, "a1", false, "network");
    await world.untilRow("b1", "a", "2b");
    const sent = world.lan.sent("a1", "b1");
    await pause(listenMs);
    assert.is(world.lan.sent("a1", "b1"), sent, "no datagram while it is off");
    await advances(world, "the mirror", () => arrived(world, "a-b"));
    await expectSwitch(world, "a1", true, "network");
    await world.untilRow("b1", "a", "1");
    await untilPath(world, "a1", "b1", "network", "ok");
    assert.equal([world.alarms("a1", fromMs), world.alarms("b1", fromMs)], [[], []]);
  }));

test("a mirror off and on while running: sector writes follow, nobody is alarmed", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await expectSwitch(world, "a1", false, "mirror", "a-b");
    await untilPath(world, "b1", "a1", "network", "ok");
    await world.until("b1 knows", async () => !(await pathStatus(world, "b1", "a1", "a-b"))?.inUse);
    const last = written(world, "a-b");
    await pause(listenMs + calm.marginMs);
    assert.is(written(world, "a-b"), last, "no sector is written while it is off");
    await advances(world, "the reverse mirror", () => arrived(world, "b-a"));
    await expectSwitch(world, "a1", true, "mirror", "a-b");
    await advances(world, "the mirror", () => arrived(world, "a-b"));
    await untilPath(world, "b1", "a1", "a-b", "ok");
    await world.until("in use again", async () =>
      Boolean((await pathStatus(world, "b1", "a1", "a-b"))?.inUse),
    );
    assert.equal([world.alarms("a1", fromMs), world.alarms("b1", fromMs)], [[], []]);
  }));

test("a mirror switched off at its reader is not judged there; the writer writes on", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await expectSwitch(world, "b1", false, "mirror", "a-b");
    await advances(world, "the mirror", () => arrived(world, "a-b"));
    await world.copier("a-b", "split");
    await pause(listenMs + calm.marginMs);
    assert.equal(world.alarms("b1", fromMs), [], "silence there means nothing now");
    await world.copier("a-b", "resync");
    await expectSwitch(world, "b1", true, "mirror", "a-b");
    await untilPath(world, "b1", "a1", "a-b", "ok");
    assert.equal(world.alarms("b1", fromMs), []);
  }));

test("two mirrors side by side: one cut is named, and changes no verdict", () =>
  withWorld({ mirrors: ["a-b", "a-b2", "b-a"] }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await world.copier("a-b2", "cut");
    await untilPath(world, "b1", "a1", "a-b2", "stale");
    // Status is answered at once; the same change is told on a pipe, and may come after it.
    await world.until("b1 tells of it", () => world.events("b1", "path", fromMs).length > 0);
    const told = world.events("b1", "path", fromMs).at(-1)?.fields;
    assert.equal([told?.["path"], told?.["state"]], ["a-b2", "stale"]);
    assert.is(world.row("b1", "a"), "1");
    assert.equal(world.events("b1", "group", fromMs), []);
    world.lan.cut("*", "*");
    await world.untilRow("b1", "a", "2");
  }));

test("a host disabled and enabled at the observer: sent nothing, not judged, then judged anew", () =>
  withWorld({ hosts: ["a1", "a2", "b1"], timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await expectSwitch(world, "b1", false, "host", "a1");
    const sent = world.lan.sent("b1", "a1");
    await pause(listenMs);
    assert.is(world.lan.sent("b1", "a1"), sent, "no datagram to a disabled host");
    await world.killHost("a1");
    await pause(listenMs + calm.marginMs);
    assert.equal(world.alarms("b1", fromMs), []);
    await world.start("a1");
    await expectSwitch(world, "b1", true, "host", "a1");
    await untilPath(world, "b1", "a1", "network", "ok");
    await untilPath(world, "b1", "a1", "a-b", "ok");
    assert.equal(world.alarms("b1", fromMs), []);
    await world.killHost("a1");
    await world.untilVerdict("b1", "a1", "9");
  }));

test("a host that is switched off at itself leaves, and comes back, with no alarm", () =>
  withWorld({ hosts: ["a1", "a2", "b1"], timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await expectSwitch(world, "a1", false, "host", "a1");
    await world.untilVerdict("b1", "a1", "0c");
    const last = written(world, "a-b");
    const sent = world.lan.sent("a1", "b1");
    await pause(listenMs + calm.marginMs);
    assert.is(written(world, "a-b"), last);
    assert.is(world.lan.sent("a1", "b1"), sent);
    assert.is(world.events("b1", "left", fromMs).at(-1)?.fields["how"], "switched off");
    await expectSwitch(world, "a1", true, "host", "a1");
    await world.untilVerdict("b1", "a1", "1");
    assert.equal(world.alarms("b1", fromMs), []);
  }));

test("an orderly stop is no failure, and switches survive a restart", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await expectSwitch(world, "a1", false, "network");
    await world.untilRow("b1", "a", "2b");
    assert.is(await world.stop("a1"), 0);
    await world.untilRow("b1", "a", "0c");
    await pause(calm.marginMs + listenMs);
    assert.equal(world.alarms("b1", fromMs), []);
    const sent = world.lan.sent("a1", "b1");
    await world.start("a1");
    await world.untilRow("b1", "a", "2b", "2", "1");
    await advances(world, "the mirror", () => arrived(world, "a-b"));
    assert.is(world.lan.sent("a1", "b1"), sent, "still off after the restart");
    await world.until("told to be off", async () => {
      const path = (await world.status("a1")).paths.find((p) => p.path === "network");
      return path?.enabled === false;
    });
    await expectSwitch(world, "a1", true, "network");
    await world.untilRow("b1", "a", "1");
  }));

test.run();
