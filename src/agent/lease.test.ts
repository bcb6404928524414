// test-limit-seconds: 240
/**
 * The lease with real processes: gate, takeover with a data pair, self-fencing, switch-over and
 * fail-back. The watchdog is a stand-in that kills the host's "machine": its agent and its service.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { takeoverBoundMs } from "../core/base/lease-timing.ts";
import { completeTiming } from "../core/base/timing.ts";
import { type DataBench, dataBench } from "../testing/agent-data.ts";
import { testTiming, withWorld, type World, type WorldOptions } from "../testing/agent-world.ts";
import { type StandIn, standInWatchdog } from "../testing/stand-in-watchdog.ts";

const lease = {
  leaseMs: 5000,
  watchdogMs: 1000,
  stopMs: 1000,
  lateWriteMs: 200,
  hangMs: 300,
  lostRounds: 2,
} as const;
const leaseLines = `lease_ms = 5000
watchdog_ms = 1000
stop_ms = 1000
late_write_ms = 200
hang_ms = 300
lost_rounds = 2
`;
const { takeoverWaitMs: _wait, lockMs: _lock, ...given } = testTiming;
const timing = completeTiming({ ...given, ...lease }, true);
const longMs = 60_000;

const serviceLog = (folder: string): string => path.join(folder, "service.log");
const pipe = (folder: string, host: string): string => path.join(folder, `${host}.watchdog`);

/** The "service": a line when it is started, and one when it is stopped; a file while it runs. */
const hooks = (folder: string, host: string): string => {
  const script = path.join(folder, "service.sh");
  writeFileSync(
    script,
    `#!/bin/sh
case $1 in
  start) : >"${folder}/$2.runs"; echo "start $2 $MIRRORBEAT_TERM" >>"${serviceLog(folder)}" ;;
  stop) rm -f "${folder}/$2.runs"; echo "stop $2 $MIRRORBEAT_TERM" >>"${serviceLog(folder)}" ;;
esac
`,
  );
  return `takeover = ["/bin/sh", "${script}", "start", "${host}"]
superseded = ["/bin/sh", "${script}", "stop", "${host}"]
limit_ms = 5000`;
};

/** A group's pair between the sites "a" and "b". */
function dataTable(bench: DataBench): string {
  const { pair, pvol, svol } = bench.group();
  if (pair.provider === "none") throw new Error("the bench has a provider");
  const end = (which: "writer" | "reader"): string => {
    // A busy machine starts a shell slowly.
    const settings = { ...pair[which], query_limit_ms: 5000, change_limit_ms: 10_000 };
    const lines = Object.entries(settings).map(
      ([key, value]) => `${key} = ${JSON.stringify(value)}`,
    );
    return `[data.pair.${which}]\n${lines.join("\n")}\n`;
  };
  return `[[data]]
name = "db"
id = 1
writer = "a"
reader = "b"
pvol = "${pvol}"
svol = "${svol}"
[data.pair]
provider = "exec"
${end("writer")}${end("reader")}`;
}

type Machine = { readonly watchdog: StandIn };

async function withLease(
  options: WorldOptions,
  run: (world: World, bench: DataBench, machines: Map<string, Machine>) => Promise<void>,
): Promise<void> {
  const bench = dataBench("lease");
  bench.set("paired", "paired");
  const machines = new Map<string, Machine>();
  try {
    await withWorld(
      {
        timing: given,
        moreTiming: leaseLines,
        top: () => 'policy = "lease"\n',
        hooks,
        tables: (folder, host) =>
          `[takeover]\nrpo_max_ms = 10000\n[fencing]\nwatchdog = "${pipe(folder, host)}"\n${dataTable(bench)}`,
        ...options,
      },
      async (world) => {
        for (const host of world.hosts) {
          const watchdog = await standInWatchdog(pipe(world.folder, host), lease.watchdogMs, () => {
            world.host(host).kill("SIGKILL");
            appendFileSync(serviceLog(world.folder), `reset ${host}\n`);
          });
          machines.set(host, { watchdog });
        }
        await run(world, bench, machines);
      },
    );
  } finally {
    for (const { watchdog } of machines.values()) watchdog.end();
    bench.end();
  }
}

const logOf = (world: World): string =>
  existsSync(serviceLog(world.folder)) ? readFileSync(serviceLog(world.folder), "utf8") : "";
const runsAt = (world: World, host: string): boolean =>
  existsSync(path.join(world.folder, `${host}.runs`));
const gate = (world: World, host: string) => world.verb(host, "gate");
/** Every line that both told, for a failure's sake. */
const journals = (world: World): string =>
  world.hosts
    .map((host) =>
      world
        .host(host)
        .told.map(({ atMs, fields }) => `${host} ${Math.round(atMs)} ${JSON.stringify(fields)}`)
        .join("\n"),
    )
    .join("\n");
const roleOf = (world: World, host: string): string | null =>
  world.events(host, "role").at(-1)?.fields["role"] ?? null;

/** It has seen the guard: only the wait is missing. */
async function standbyReady(world: World): Promise<void> {
  await world.until(
    "the standby has all but the wait",
    async () => {
      const status = await world.verb("b1", "status");
      return status.out.includes("1 needs unmet");
    },
    longMs,
  );
}

/** Both up, production's gate open; its boot script has started the service. */
async function coldStart(world: World): Promise<void> {
  await world.start("a1", "b1");
  await world.until(
    "production's gate opens",
    async () => (await gate(world, "a1")).code === 0,
    longMs,
  );
  writeFileSync(path.join(world.folder, "a1.runs"), "");
  const closed = await gate(world, "b1");
  assert.is(closed.code, 75);
  assert.match(closed.out, /^gate CLOSED {2}term 257 belongs to a/);
  await standbyReady(world);
}

test("cold start; production dies: its data is taken over, then the service starts, in time", () =>
  withLease({}, async (world, bench) => {
    await coldStart(world);
    const diedMs = await world.killHost("a1");
    await world.until("the watchdog resets it", () => logOf(world).includes("reset a1"), longMs);
    await world.until("b1 is active", () => roleOf(world, "b1") === "active", longMs);
    const active = world.events("b1", "role").at(-1);
    const tookMs = (active?.atMs ?? 0) - diedMs;
    const { out } = await gate(world, "b1");
    assert.match(out, /^gate OPEN {2}site b active in term 514 \(alone: no lease binds it\)/);
    assert.match(logOf(world), /start b1 514/);
    assert.ok(bench.changes().some((line) => line.startsWith("change takeover")));
    assert.match(bench.is(), /takeover/);
    const hooksMs = 3000;
    const boundMs = takeoverBoundMs(timing) + hooksMs;
    assert.ok(tookMs >= timing.takeoverWaitMs - timing.intervalMs, `${tookMs} ms`);
    assert.ok(tookMs <= boundMs, `${tookMs} ms of ${boundMs} ms`);

    // Returning production finds the higher term, stays down, says why, and joins as standby.
    await world.start("a1");
    await world.until(
      "a1 stands by",
      async () => {
        const answer = await gate(world, "a1");
        return answer.code === 75 && answer.out.includes("belongs to b");
      },
      longMs,
    );
    await world.until(
      "b1 is under the lease again",
      async () => {
        return (await gate(world, "b1")).out.includes("lease ends in");
      },
      longMs,
    );

    // And back: the data is made whole from here to there, then the roles change.
    const back = await world.verb("b1", "failback", "--yes");
    assert.is(back.code, 0, `${back.err}${journals(world)}`);
    assert.match(back.out, /^a is active in term 769/);
    assert.is((await gate(world, "a1")).code, 0);
    assert.is((await gate(world, "b1")).code, 75);
    assert.match(logOf(world), /stop b1 514[^]*start a1 769/);
    assert.not.ok(runsAt(world, "b1"));
  }));

test("switch-over and back, planned: each site's service stops before the other's starts", () =>
  withLease({}, async (world, bench) => {
    await coldStart(world);
    const wrong = await world.verb("b1", "switchover", "--yes");
    assert.is(wrong.code, 0, "it is there already");
    assert.match(wrong.out, /^a is active in term 257 already/);
    const there = await world.verb("a1", "switchover", "--yes", "--json");
    assert.is(there.code, 0, there.out);
    assert.ok(runsAt(world, "b1") && !runsAt(world, "a1"));
    assert.match(bench.changes().join("\n"), /change swap/);
    const back = await world.verb("b1", "failback", "--yes");
    assert.is(back.code, 0, back.err);
    assert.ok(runsAt(world, "a1") && !runsAt(world, "b1"));
    const lines = logOf(world).trim().split("\n");
    assert.equal(lines.map((line) => line.split(" ").slice(0, 2).join(" ")), [
      "stop a1", "start b1", "stop b1", "start a1",
    ]); // biome-ignore format: one list
  }));

test("all links cut: production stops itself before the standby acts", () =>
  withLease({}, async (world) => {
    await coldStart(world);
    world.lan.cut("a1", "b1");
    world.lan.cut("b1", "a1");
    for (const mirror of world.mirrors) await world.copier(mirror, "cut");
    await world.until("b1 is active", () => roleOf(world, "b1") === "active", longMs);
    const lines = logOf(world).trim().split("\n");
    assert.is(lines[0]?.split(" ").slice(0, 2).join(" "), "stop a1", journals(world));
    assert.match(lines[1] ?? "", /^start b1/);
    assert.is((await gate(world, "a1")).code, 75);
    const dry = await world.verb("a1", "takeover", "--dry-run");
    assert.is(dry.code, 0);
    assert.match(dry.out, /arbiter: lease\n {2}survives:/);
    const refused = await world.verb("a1", "takeover", "--yes");
    assert.is(refused.code, 106, refused.err + refused.out);
    assert.match(refused.err, /--peer-is-off b/);
  }));

test("a data pair that cannot be taken over: no service, and the operator is told", () =>
  withLease({}, async (world, bench) => {
    await coldStart(world);
    bench.fault("fail");
    await world.killHost("a1");
    await world.until(
      "the takeover stops",
      () =>
        world.events("b1", "takeover").some(({ fields }) => fields["step"] === "data pairs failed"),
      longMs,
    );
    assert.not.ok(runsAt(world, "b1"));
    assert.is((await gate(world, "b1")).code, 75);
    bench.fault(null);
    const again = await world.verb("b1", "takeover", "--yes");
    assert.is(again.code, 0, again.err);
    assert.ok(runsAt(world, "b1"));
  }));

test("an agent that hangs is reset with its service; the standby's planned stop fences nobody", () =>
  withLease({}, async (world, _bench, machines) => {
    await coldStart(world);
    assert.is(await world.stop("b1"), 0);
    await world.until(
      "production is alone",
      async () => {
        return (await gate(world, "a1")).out.includes("alone");
      },
      longMs,
    );
    await new Promise((resolve) => setTimeout(resolve, 2 * lease.leaseMs));
    assert.is(roleOf(world, "a1"), "active");
    await world.start("b1");
    await world.until(
      "the lease is back",
      async () => {
        return (await gate(world, "a1")).out.includes("lease ends in");
      },
      longMs,
    );
    await standbyReady(world);
    const stoppedMs = performance.now();
    world.host("a1").kill("SIGSTOP");
    await world.until(
      "reset",
      () => (machines.get("a1")?.watchdog.resetMs ?? null) !== null,
      longMs,
    );
    const resetMs = (machines.get("a1")?.watchdog.resetMs ?? 0) - stoppedMs;
    assert.ok(resetMs <= 2 * lease.watchdogMs, `${resetMs} ms`);
    await world.until("b1 is active", () => roleOf(world, "b1") === "active", longMs);
  }));

test.run();
