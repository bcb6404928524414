// What is fed and when, against a watchdog that keeps count and a clock that is set; and once in a
// process of its own, whose reader kills it when it is not fed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { FencingConfig } from "../core/base/config.ts";
import type { CoreEvent } from "../core/base/event.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { timingDefaults } from "../core/base/timing.ts";
import type { WatchdogOpened } from "../device/watchdog.ts";
import { standInWatchdog } from "../testing/stand-in-watchdog.ts";
import { Fence, type Feeding, fencePeriodMs } from "./fence.ts";

/** The part that is killed below: feeds for as long as it runs, and says so. */
function feedForEver(watchdog: string): void {
  const fence = new Fence({
    config: { watchdog, watchdogLimitMs: realLimitMs, systemd: false },
    timing: { ...timingDefaults, leaseMs: 1000, watchdogMs: realLimitMs },
    tell: () => undefined,
    nowMs: () => performance.now(),
  });
  fence.start(() => "feed");
  process.once("SIGTERM", () => {
    fence.end("off");
    process.exit(0);
  });
}
const realLimitMs = 1000;

const config: FencingConfig = { watchdog: "/dev/watchdog9", watchdogLimitMs: 4000, systemd: false };
const timing = { ...timingDefaults, leaseMs: 20_000, watchdogMs: 10_000 };

/** A fence whose ticks are called by hand: wish() is one. */
class Bench {
  readonly did: string[] = [];
  readonly told: CoreEvent[] = [];
  nowMs = 0;
  may: Feeding = "off";
  feedAnswer: string | null = null;
  disarmAnswer: string | null = null;
  canDisarm = true;
  refusal: { code: 75 | 78; message: string } | null = null;
  readonly fence: Fence;

  constructor(given: Partial<FencingConfig> = {}) {
    this.fence = new Fence({
      config: { ...config, ...given },
      timing,
      tell: (event) => this.told.push(event),
      nowMs: () => this.nowMs,
      open: () => this.open(),
      service: {
        limitMs: 1000,
        ready: () => this.note("ready"),
        alive: (nowMs) => this.note(`alive ${nowMs}`),
        stopping: () => this.note("stopping"),
      },
    });
    this.fence.start(() => this.may);
  }

  private note(what: string): null {
    this.did.push(what);
    return null;
  }

  private open(): WatchdogOpened {
    this.did.push("open");
    if (this.refusal) return { ok: false, refusal: this.refusal };
    const watchdog = {
      kind: "device" as const,
      path: "/dev/watchdog9",
      identity: "counting",
      limitMs: 4000,
      canDisarm: this.canDisarm,
      feed: () => {
        this.did.push("feed");
        return this.feedAnswer;
      },
      disarm: () => {
        this.did.push("disarm");
        return this.disarmAnswer;
      },
    };
    return { ok: true, watchdog };
  }

  step(wish: Feeding, may: Feeding, laterMs = 1000): string {
    this.nowMs += laterMs;
    this.may = may;
    this.did.length = 0;
    this.fence.wish(wish);
    return this.did.join(" ");
  }

  /** The level and the words of every event so far, and forgets them. */
  events(): string {
    return this.told
      .splice(0)
      .map(({ level, fields }) => `${level}: ${fields["detail"]}`)
      .join("; ");
  }

  end(): void {
    this.fence.end("starve");
  }
}

test("opened at the first feed, fed at each tick, disarmed only when both say off", () => {
  const bench = new Bench();
  assert.is(bench.step("off", "off"), "");
  assert.is(bench.step("feed", "off"), "", "opening needs the fresh answer");
  assert.is(bench.step("feed", "feed"), "open");
  assert.ok(bench.fence.isArmed);
  assert.is(bench.step("feed", "feed"), "feed");
  assert.is(bench.step("off", "feed"), "feed");
  assert.is(bench.step("feed", "off"), "feed");
  assert.is(bench.step("off", "off"), "disarm");
  assert.not(bench.fence.isArmed);
  assert.is(bench.fence.fault, null);
  assert.match(
    bench.events(),
    /^notice: armed: device "counting", .* 4000 ms unfed; notice: disarmed$/,
  );
  bench.end();
});

test("armed at once, before anything that serves is begun; only once, and not where refused", () => {
  const bench = new Bench();
  bench.fence.arm();
  assert.ok(bench.fence.isArmed);
  bench.fence.arm();
  assert.is(bench.did.join(" "), "open");
  bench.end();
  const refused = new Bench();
  refused.refusal = { code: 78, message: "no watchdog" };
  refused.fence.arm();
  refused.fence.arm();
  assert.not(refused.fence.isArmed);
  assert.is(refused.fence.fault, "no watchdog");
  assert.is(refused.did.join(" "), "open", "what the device is does not change by asking again");
  refused.end();
});

test("starved by either word: not fed, not disarmed, and fed again when both allow it", () => {
  const bench = new Bench();
  bench.step("feed", "feed");
  for (const [wish, may] of [
    ["starve", "feed"],
    ["feed", "starve"],
    ["starve", "off"],
    ["off", "starve"],
    ["starve", "starve"],
  ] as const) {
    assert.is(bench.step(wish, may), "", `${wish} and ${may}`);
  }
  assert.is(bench.step("feed", "feed"), "feed");
  bench.did.length = 0;
  bench.fence.end("starve");
  assert.is(bench.did.join(" "), "stopping", "left armed");
});

test("what may not be fed is not opened either", () => {
  const bench = new Bench();
  assert.is(bench.step("starve", "feed"), "");
  assert.is(bench.step("feed", "starve"), "");
  bench.end();
});

test("planned end with the service stopped: disarmed, and told when that is impossible", () => {
  const bench = new Bench();
  bench.step("feed", "feed");
  bench.disarmAnswer = "/dev/watchdog9: runs on";
  bench.did.length = 0;
  bench.events();
  bench.fence.end("off");
  assert.is(bench.did.join(" "), "stopping disarm");
  assert.is(bench.events(), "error: not disarmed: /dev/watchdog9: runs on");
});

test("one that cannot be stopped is fed on while nobody needs it, and starved when told", () => {
  const bench = new Bench();
  bench.canDisarm = false;
  bench.step("feed", "feed");
  assert.is(bench.step("off", "off"), "feed");
  assert.is(bench.step("off", "starve"), "");
  assert.is(bench.step("off", "off"), "feed");
  bench.end();
});

test("no watchdog, though one is wanted: a fault, told once", () => {
  const bench = new Bench({ watchdog: null });
  assert.is(bench.step("feed", "feed"), "");
  bench.step("feed", "feed");
  assert.match(bench.fence.fault ?? "", /^no watchdog is configured: /);
  assert.match(bench.events(), /^error: not armed: no watchdog is configured: [^;]*$/);
  bench.step("off", "off");
  assert.is(bench.fence.fault, null, "nobody wants it any more");
  bench.end();
});

test("a refusal is asked again only where it may pass", () => {
  const busy = new Bench();
  busy.refusal = { code: exitCodes.tryLater, message: "in use" };
  assert.is(busy.step("feed", "feed"), "open");
  assert.is(busy.fence.fault, "in use");
  assert.is(busy.step("feed", "feed"), "open");
  assert.is(busy.events(), "error: not armed: in use");
  busy.refusal = null;
  assert.is(busy.step("feed", "feed"), "open");
  assert.is(busy.fence.fault, null);
  busy.end();
  const bad = new Bench();
  bad.refusal = { code: exitCodes.config, message: "waits too long" };
  assert.is(bad.step("feed", "feed"), "open");
  assert.is(bad.step("feed", "feed"), "");
  assert.is(bad.fence.fault, "waits too long");
  bad.end();
});

test("food that is refused is a fault until it is taken again", () => {
  const bench = new Bench();
  bench.step("feed", "feed");
  bench.events();
  bench.feedAnswer = "its reader is gone";
  bench.step("feed", "feed");
  bench.step("feed", "feed");
  assert.is(bench.fence.fault, "its reader is gone");
  assert.not(bench.fence.isArmed);
  assert.is(bench.events(), "error: not fed: its reader is gone");
  bench.feedAnswer = null;
  bench.step("feed", "feed");
  assert.ok(bench.fence.isArmed);
  assert.is(bench.events(), "notice: fed again");
  bench.end();
});

test("alive after the watchdog's whole time unfed: it does not work, and that stays a fault", () => {
  const bench = new Bench();
  bench.step("feed", "feed");
  bench.events();
  bench.step("starve", "starve", 10_000);
  assert.is(bench.fence.fault, null, "at the limit");
  bench.step("starve", "starve", 1);
  assert.match(bench.fence.fault ?? "", /unfed for 10001 ms, and no reset$/);
  bench.step("starve", "starve");
  assert.match(bench.events(), /^error: does not work: [^;]*; see mirrorbeat doctor$/);
  bench.step("feed", "feed");
  assert.not(bench.fence.isArmed, "food does not mend it");
  bench.step("off", "off");
  bench.step("feed", "feed");
  assert.not(bench.fence.isArmed, "nor does opening it anew");
  bench.end();
});

test("the service manager hears of life only by a durable record", () => {
  const bench = new Bench();
  bench.did.length = 0;
  bench.fence.ready();
  bench.step("feed", "feed");
  assert.not(bench.did.some((what) => what.startsWith("alive")));
  bench.fence.wrote();
  assert.ok(bench.did.includes(`alive ${bench.nowMs}`));
  bench.end();
});

test("fed at least four times in its time-out, and no oftener than the beats need", () => {
  const period = (watchdogLimitMs: number, watchdogMs: number) =>
    fencePeriodMs({ config: { ...config, watchdogLimitMs }, timing: { ...timing, watchdogMs } });
  assert.is(period(4000, 10_000), 1000);
  assert.is(period(2000, 10_000), 500);
  assert.is(period(60_000, 130_000), timing.intervalMs);
  assert.is(period(0, 0), timing.intervalMs);
});

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-fence-"));

/** A fenced process and the reader of its pipe, until `act` has ended it. */
async function fenced(name: string, act: (pid: number) => void) {
  const file = path.join(folder, name);
  let reset: () => void = () => undefined;
  const isReset = new Promise<void>((resolve) => {
    reset = resolve;
  });
  const standIn = await standInWatchdog(file, realLimitMs, () => reset());
  const child = spawn(process.execPath, [__filename, file], { stdio: "inherit" });
  const ended = new Promise((resolve) => child.on("close", resolve));
  const endMs = performance.now() + 20_000;
  while (standIn.fed < 5) {
    assert.ok(performance.now() < endMs, `fed ${standIn.fed} times`);
    assert.is(standIn.resetMs, null, "fed, and not reset");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const actedMs = performance.now();
  act(child.pid ?? 0);
  return {
    standIn,
    isReset,
    ended,
    tookMs: () => (standIn.resetMs ?? Number.NaN) - actedMs,
    async end() {
      child.kill("SIGKILL");
      await ended;
      standIn.end();
    },
  };
}

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  test(`a process of its own, ended by ${signal}: its reader finds it unfed`, async () => {
    const trial = await fenced(signal, (pid) => process.kill(pid, signal));
    await trial.isReset;
    // Its last meal is at most a quarter of the limit older than the signal.
    assert.ok(trial.tookMs() >= realLimitMs / 2, `${trial.tookMs()} ms`);
    assert.ok(trial.tookMs() <= 10 * realLimitMs, `${trial.tookMs()} ms`);
    await trial.end();
  });
}

test("one that ends as planned disarms, and nobody resets it", async () => {
  const trial = await fenced("planned", (pid) => process.kill(pid, "SIGTERM"));
  await trial.ended;
  const before = trial.standIn.fed;
  await new Promise((resolve) => setTimeout(resolve, 2 * realLimitMs));
  assert.is(trial.standIn.resetMs, null);
  assert.is(trial.standIn.fed, before);
  await trial.end();
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
const [fedFile] = process.argv.slice(2);
if (fedFile) feedForEver(fedFile);
else test.run();
