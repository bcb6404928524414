// test-limit-seconds: 240
/** The operator's takeover on the shipped program: what it refuses, does, survives and tells. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { slotOf } from "../testing/agent-sectors.ts";
import { pause, withWorld, type World, type WorldOptions } from "../testing/agent-world.ts";

const calm = { marginMs: 1200 };

/** A hook that writes down what it was given, then does what the file `do-NAME` says. */
const hookScript = `#!/bin/sh
folder=$(dirname "$0")
{ echo "args: $*"; env | grep ^MIRRORBEAT_ | sort; echo "--"; } >>"$folder/log-$1"
[ -f "$folder/do-$1" ] && . "$folder/do-$1"
echo "service of $MIRRORBEAT_HOST is up"
`;

const hooked: WorldOptions = {
  timing: calm,
  hooks: (folder) =>
    [
      `takeover = ["${folder}/hook", "takeover"]`,
      `superseded = ["${folder}/hook", "superseded"]`,
      `limit_ms = 3000`,
    ].join("\n"),
};

async function withHooks(
  options: WorldOptions,
  body: (world: World) => Promise<void>,
): Promise<void> {
  await withWorld({ ...hooked, ...options }, async (world) => {
    writeFileSync(path.join(world.folder, "hook"), hookScript, { mode: 0o755 });
    await body(world);
  });
}

const told = (world: World, hook: string): string => {
  const file = path.join(world.folder, `log-${hook}`);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
};

const behave = (world: World, hook: string, script: string): void =>
  writeFileSync(path.join(world.folder, `do-${hook}`), script);

const takeover = (world: World, host: string, ...args: readonly string[]) =>
  world.verb(host, "takeover", ...args);

async function termAt(world: World, host: string): Promise<string> {
  const { term, termOwner } = await world.status(host);
  return `${term} ${termOwner}`;
}

async function productionDead(world: World): Promise<void> {
  await world.beating();
  await world.untilRole("a1", "active");
  await world.untilRole("b1", "standby");
  await world.killHost("a1");
  await world.untilRow("b1", "a", "9");
}

/** Journalled steps of a takeover, in order. */
const steps = (world: World, host: string): readonly (string | undefined)[] =>
  world.journal(host).flatMap((e) => (e["ev"] === "takeover" ? [e["step"]] : []));

test("refused while the other site lives; a dry run changes nothing; done when it is dead", () =>
  withHooks({}, async (world) => {
    await world.beating();
    await world.untilRole("a1", "active");
    await world.untilRole("b1", "standby");
    const alive = await takeover(world, "b1", "--yes");
    assert.is(alive.code, 107, alive.err);
    assert.match(alive.err, /a1 \(row 1\) still beats on some path/);
    assert.is(alive.err.trimEnd().split("\n").length, 1);
    world.lan.cut("*", "*");
    await world.untilRow("b1", "a", "2");
    assert.is((await takeover(world, "b1", "--yes")).code, 107, "one living path is enough");
    world.lan.heal();
    await world.untilRow("b1", "a", "1");
    assert.is(await termAt(world, "b1"), "257 a");
    assert.is(told(world, "takeover"), "");

    await world.killHost("a1");
    const early = await takeover(world, "b1", "--yes");
    assert.is(early.code, 107, "not before it was found silent");
    await world.untilRow("b1", "a", "9");
    const dry = await takeover(world, "b1");
    assert.is(dry.code, 64);
    assert.match(dry.out, /^NOTHING DONE/);
    assert.match(dry.out, /a1: cannot tell link from site/);
    assert.ok(dry.out.split("\n").every((line) => line.length <= 80));
    assert.is(await termAt(world, "b1"), "257 a");
    const json = JSON.parse((await takeover(world, "b1", "--json")).out) as { ok: boolean };
    assert.is(json.ok, false);

    const done = await takeover(world, "b1", "--yes");
    assert.is(done.code, 0, done.err);
    assert.match(done.out, /^active in term 514/);
    assert.is(await termAt(world, "b1"), "514 b");
    await world.untilRole("b1", "active");
    assert.equal(steps(world, "b1").slice(-5), [
      "begin", "term stored", "term published", "service hook started", "done",
    ]); // biome-ignore format: in order
    assert.is(slotOf(world.volume("b-a", "pvol"), 0).newest().term, 514n);
    const log = told(world, "takeover");
    assert.match(log, /^args: takeover GROUP b ACTIVE 0$/m);
    for (const line of [
      "MIRRORBEAT_EVENT=role", "MIRRORBEAT_OLD_STATE=transitioning", "MIRRORBEAT_NEW_STATE=active",
      "MIRRORBEAT_PEER=a", "MIRRORBEAT_SITE=b", "MIRRORBEAT_HOST=b1", "MIRRORBEAT_TERM=514",
    ]) assert.ok(log.includes(`${line}\n`), `${line} in ${log}`); // biome-ignore format: a list
    assert.match(log, /^MIRRORBEAT_TIMESTAMP_EPOCH=\d{10}$/m);
    const again = await takeover(world, "b1", "--yes");
    assert.is(again.code, 0);
    assert.match(again.out, /already active in term 514/);
    assert.is(log.match(/^args:/gm)?.length, 1, "the hook ran once");
  }));

test("without an agent: 69, and the remedy is named", () =>
  withHooks({}, async (world) => {
    for (const args of [["--yes"], []]) {
      const { code, err } = await takeover(world, "b1", ...args);
      assert.is(code, 69);
      assert.match(err, /start it by `mirrorbeat run`/);
    }
  }));

test("a hook that fails: 112, not active, and the rerun ends it", () =>
  withHooks({}, async (world) => {
    await productionDead(world);
    behave(world, "takeover", 'echo "no file system here" >&2; exit 3');
    const failed = await takeover(world, "b1", "--yes");
    assert.is(failed.code, 112, failed.err);
    assert.match(failed.err, /exit 3: no file system here/);
    assert.match(failed.err, /the term 514 is ours/);
    assert.is.not((await world.status("b1")).role, "active");
    // Neither a restart nor the other site's return starts the service: it was never started here.
    await world.killHost("b1");
    await world.start("b1");
    await world.start("a1");
    await world.untilRow("b1", "a", "1");
    await world.untilRole("a1", "standby");
    assert.is.not((await world.status("b1")).role, "active", "a fresh peer starts no service");
    behave(world, "takeover", "");
    // a1 beats again, but by its own fresh word it stands by under the term that is ours.
    const done = await takeover(world, "b1", "--yes");
    assert.is(done.code, 0, done.err);
    assert.is(await termAt(world, "b1"), "770 b");
    await world.untilRole("b1", "active");
  }));

test("a hook that hangs is ended at its limit; one that prints a gigabyte is no harm", () =>
  withHooks({}, async (world) => {
    await productionDead(world);
    behave(world, "takeover", 'sleep 600 & echo $! >"$folder/sleeper"; wait');
    const beganMs = performance.now();
    const hung = await takeover(world, "b1", "--yes");
    assert.is(hung.code, 112, hung.err);
    assert.match(hung.err, /no end within 3000 ms, killed/);
    assert.ok(performance.now() - beganMs < 9000);
    const sleeper = readFileSync(path.join(world.folder, "sleeper"), "utf8").trim();
    await world.until("its child is gone too", () => !existsSync(`/proc/${sleeper}`));

    behave(world, "takeover", 'head -c 1073741824 /dev/zero | tr "\\0" x; echo; echo end');
    world.writeConfig("b1", (text) => text.replace("\nlimit_ms = 3000", "\nlimit_ms = 60000"));
    await world.stop("b1");
    await world.start("b1");
    await world.untilRow("b1", "a", "9", "10");
    const before = slotOf(world.volume("b-a", "pvol"), 0).newest().serial;
    const fromMs = performance.now();
    const loud = await takeover(world, "b1", "--yes");
    assert.is(loud.code, 0, loud.err);
    const beats = slotOf(world.volume("b-a", "pvol"), 0).newest().serial - before;
    const wanted = (performance.now() - fromMs) / world.timing.intervalMs / 2;
    assert.ok(Number(beats) >= Math.floor(wanted), `${beats} beats meanwhile`);
    const rss = readFileSync(`/proc/${world.host("b1").process?.pid}/status`, "utf8");
    const megabytes = Number(/VmRSS:\s+(\d+)/.exec(rss)?.[1]) / 1024;
    assert.ok(megabytes < 200, `${megabytes} MB`);
  }));

test("the old active site, frozen and continued, steps down and runs its hook", () =>
  withHooks({}, async (world) => {
    await world.beating();
    await world.untilRole("a1", "active");
    world.host("a1").kill("SIGSTOP");
    await world.untilRow("b1", "a", "9");
    const done = await takeover(world, "b1", "--yes");
    assert.is(done.code, 0, done.err);
    world.host("a1").kill("SIGCONT");
    await world.untilRole("a1", "standby");
    await world.until("its hook ran", () => told(world, "superseded").includes("--"));
    const log = told(world, "superseded");
    assert.match(log, /^args: superseded GROUP a FENCED 0$/m);
    assert.match(log, /^MIRRORBEAT_TERM=514$/m);
    assert.match(log, /^MIRRORBEAT_HOST=a1$/m);
    assert.is(await termAt(world, "a1"), "514 b");
    assert.is((await world.status("b1")).role, "active");
    const { role, reason } = world.events("a1", "role").at(-1)?.fields ?? {};
    assert.equal([role, reason], ["standby", "the service is stopped; the term is another site's"]);
  }));

test("a returning production stays standby, also without its memory; the term outlives restarts", () =>
  withHooks({ hosts: ["a1", "a2", "b1", "b2"] }, async (world) => {
    await world.beating();
    await world.untilRole("a1", "active");
    await world.untilRole("a2", "active");
    await Promise.all([world.killHost("a1"), world.killHost("a2")]);
    await world.untilRow("b1", "a", "9");
    const done = await takeover(world, "b1", "--yes");
    assert.is(done.code, 0, done.err);
    await world.untilStatus("b2", "the sibling learns the term", (s) => s.term === "514");
    await world.untilRole("b2", "active");
    assert.is(told(world, "takeover").match(/^args:/gm)?.length, 1, "the hook ran on b1 alone");

    await world.start("a1");
    await world.untilRole("a1", "standby");
    assert.is(await termAt(world, "a1"), "514 b");
    rmSync(world.host("a2").stateFolder, { recursive: true, force: true });
    await world.start("a2");
    await world.untilRole("a2", "standby");
    assert.is(await termAt(world, "a2"), "514 b", "found again on the volumes");
    await world.untilRow("b1", "a", "1");

    // All of it stopped and lost but the volumes: the term is still known.
    for (const host of world.hosts) await world.stop(host);
    for (const host of world.hosts) {
      rmSync(world.host(host).stateFolder, { recursive: true, force: true });
    }
    await world.start(...world.hosts);
    for (const host of world.hosts) assert.is(await termAt(world, host), "514 b", host);
    await world.untilRole("b1", "active");
    await world.untilRole("a1", "standby");
  }));

test("production alone after a restart does not take itself for active", () =>
  withHooks({}, async (world) => {
    await world.beating();
    await world.untilRole("a1", "active");
    await Promise.all([world.killHost("a1"), world.killHost("b1")]);
    await world.start("a1");
    await pause(2 * world.boundMs(0));
    const { role, roleReason } = await world.status("a1");
    assert.equal([role, roleReason], ["starting", "no fresh peer has confirmed our term yet"]);
    await world.start("b1");
    await world.untilRole("a1", "active");
  }));

test("both sites commanded at once, by force: terms rise, and one of them steps down", () =>
  withHooks({}, async (world) => {
    await world.beating();
    await world.untilRole("a1", "active");
    // Cut off from each other, the standby is commanded; then both know nothing of each other.
    world.lan.cut("*", "*");
    await world.copier("a-b", "cut");
    await world.copier("b-a", "cut");
    await world.untilRow("b1", "a", "9");
    await world.untilRow("a1", "b", "9");
    await world.killHost("a1");
    await world.start("a1");
    await world.untilRole("a1", "starting");
    const both = await Promise.all([
      takeover(world, "a1", "--yes", "--force"),
      takeover(world, "b1", "--yes", "--force"),
    ]);
    assert.equal(
      both.map(({ code }) => code),
      [0, 0],
    );
    assert.is(await termAt(world, "a1"), "513 a");
    assert.is(await termAt(world, "b1"), "514 b");
    world.lan.heal();
    await world.untilRole("a1", "standby");
    assert.is(await termAt(world, "a1"), "514 b");
    assert.is((await world.status("b1")).role, "active");
    await world.until("the lower one's hook ran", () => told(world, "superseded").includes("a1"));
    assert.not.match(told(world, "superseded"), /MIRRORBEAT_HOST=b1/);
  }));

test("two commands at one host: the second is told to wait", () =>
  withHooks({}, async (world) => {
    await productionDead(world);
    behave(world, "takeover", "sleep 1");
    const both = await Promise.all([
      takeover(world, "b1", "--yes"),
      takeover(world, "b1", "--yes"),
    ]);
    const codes = both.map(({ code }) => code).sort();
    assert.equal(codes, [0, 75]);
    assert.is(told(world, "takeover").match(/^args:/gm)?.length, 1);
  }));

test("verdict hooks that hang do not keep a takeover's hook waiting", () =>
  withHooks(
    {
      hooks: (folder) =>
        `takeover = ["${folder}/hook", "takeover"]\nverdict = ["${folder}/hook", "verdict"]\nlimit_ms = 8000`,
    },
    async (world) => {
      writeFileSync(path.join(world.folder, "do-verdict"), "sleep 600");
      await world.beating();
      for (let round = 0; round < 2; round++) {
        world.lan.cut("*", "*");
        await world.untilRow("b1", "a", "2");
        world.lan.heal();
        await world.untilRow("b1", "a", "1");
      }
      await world.killHost("a1");
      await world.untilRow("b1", "a", "9");
      const done = await takeover(world, "b1", "--yes");
      assert.is(done.code, 0, done.err);
    },
  ));

test.run();
