// test-limit-seconds: 240
/**
 * Agents whose pair is asked through a vendor's library that hangs, crashes and lies: the beats go
 * on, the pair is unknown and never wrongly paired, and no process of the library is left behind.
 */
import { copyFileSync, existsSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { slotOf } from "../testing/agent-sectors.ts";
import { longMs, pause, withWorld, type World } from "../testing/agent-world.ts";

const library = path.resolve(".build/native/libmirrorbeat_sample.so");
const intervalMs = 400;
const lookEveryMs = 25;
/** Several queries, deaths and new beginnings of the library's process. */
const faultMs = 5000;

const stateFile = (world: World, mirror: string): string =>
  path.join(world.folder, `${mirror}.state`);

/** Both mirrors as pairs that the sample library copies whenever it is asked. */
function useLibrary(world: World, more: Readonly<Record<string, string>> = {}): void {
  for (const mirror of world.mirrors) {
    copyFileSync(world.volume(mirror, "pvol"), world.volume(mirror, "svol"));
    writeFileSync(stateFile(world, mirror), "paired paired writer\n");
  }
  for (const host of world.hosts) {
    world.writeConfig(host, (text) =>
      text.replaceAll(/name = "(\w-\w)"\n(?:.+\n)*?svol = ".*"\n/g, (section, mirror: string) => {
        const settings = `settings = "state=${stateFile(world, mirror)}"`;
        const limits = "query_limit_ms = 1500";
        const pair = `provider = "vendor"\nlibrary = "${library}"\n${settings}\n${limits}\n${more[mirror] ?? ""}`;
        return `${section}[mirrors.pair]\n${pair}`;
      }),
    );
  }
}

/** Causes a fault of the library at both ends of a mirror until undone. */
function cause(world: World, mirror: string, word: string): () => void {
  const file = `${stateFile(world, mirror)}.fault`;
  writeFileSync(file, `${word}\n`);
  return () => unlinkSync(file);
}

async function pairState(world: World, host: string, mirror: string): Promise<string> {
  const status = await world.status(host, 2000);
  return status.paths.find(({ path: name }) => name === mirror)?.pair?.state ?? "none";
}

const untilPair = (world: World, host: string, mirror: string, state: string): Promise<void> =>
  world.until(`${host}: pair ${mirror} ${state}`, async () => {
    return (await pairState(world, host, mirror)) === state;
  });

/** The longest time between two records of a host on its own volume. */
async function longestSilenceMs(world: World, mirror: string, forMs: number): Promise<number> {
  const slot = slotOf(world.volume(mirror, "pvol"), 0);
  let lastMs = performance.now();
  const endMs = lastMs + forMs;
  let { serial } = slot.newest();
  let longestMs = 0;
  while (performance.now() < endMs) {
    await pause(lookEveryMs);
    const now = slot.newest();
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    if (now.serial === serial) continue;
    ({ serial } = now);
    lastMs = performance.now();
  }
  return longestMs;
}

/** Processes that hold a library for this one. */
function librariesOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children
    .split(" ")
    .filter((child) => child !== "")
    .map(Number)
    .filter((child) => {
      try {
        return readFileSync(`/proc/${child}/cmdline`, "utf8").includes("vendor-host");
      } catch {
        return false; // it ended meanwhile
      }
    });
}

const worldOptions = {
  copied: [],
  timing: { intervalMs, pairPollMs: 100, latencyMs: 600, marginMs: 800 },
} as const;

test("a library that hangs, crashes, lies or talks nonsense: beats go on, the pair is unknown", () =>
  withWorld(worldOptions, async (world) => {
    useLibrary(world);
    await world.start("a1", "b1");
    for (const host of ["a1", "b1"]) await untilPair(world, host, "a-b", "paired");
    for (const word of ["hang", "crash", "lie", "garbage"]) {
      const undo = cause(world, "a-b", word);
      await Promise.all(["a1", "b1"].map((host) => untilPair(world, host, "a-b", "unknown")));
      const silence = longestSilenceMs(world, "a-b", faultMs);
      const endMs = performance.now() + faultMs;
      while (performance.now() < endMs) {
        for (const host of ["a1", "b1"]) {
          assert.is(await pairState(world, host, "a-b"), "unknown", `${word}: at ${host}`);
        }
        await pause(100);
      }
      const silenceMs = await silence;
      assert.ok(silenceMs < 3 * intervalMs, `${word}: no beat for ${silenceMs} ms`);
      assert.is(await pairState(world, "a1", "b-a"), "paired", "the other mirror's pair");
      undo();
      for (const host of ["a1", "b1"]) await untilPair(world, host, "a-b", "paired");
      assert.ok(librariesOf(world.host("a1").process?.pid ?? 0).length <= 2, "one for each pair");
    }
  }));

test("no process of a library outlives its agent, not even one that hangs", () =>
  withWorld(worldOptions, async (world) => {
    useLibrary(world);
    const gone = async (pids: readonly number[]) =>
      world.until("the library's processes are gone", () =>
        pids.every((pid) => !existsSync(`/proc/${pid}`)),
      );
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await world.start("a1");
      await untilPair(world, "a1", "b-a", "paired");
      const undo = cause(world, "a-b", "hang");
      const process = world.host("a1").process;
      assert.ok(process);
      const pids = new Set<number>();
      await world.until("both libraries are held", () => {
        for (const pid of librariesOf(process?.pid ?? 0)) pids.add(pid);
        return pids.size >= 2;
      });
      await untilPair(world, "a1", "a-b", "unknown");
      for (const pid of librariesOf(process?.pid ?? 0)) pids.add(pid);
      process?.kill(signal);
      await process?.ended;
      await gone([...pids]);
      undo();
    }
  })); // biome-ignore format: one block

test("the volume of another group than configured: its pair says nothing", () =>
  withWorld(worldOptions, async (world) => {
    useLibrary(world, { "a-b": '[mirrors.pair.writer]\nidentity = "another/volume"\n' });
    await world.start("a1");
    await untilPair(world, "a1", "b-a", "paired");
    await untilPair(world, "a1", "a-b", "unknown");
    const wanted = /^identity: .*but another\/volume is configured/;
    await world.until("the cause names the volume", async () => {
      const { paths } = await world.status("a1", 2000);
      return wanted.test(paths.find(({ path: name }) => name === "a-b")?.pair?.cause ?? "");
    });
  }));

test("agents see each other through what the library copies", () =>
  withWorld(worldOptions, async (world) => {
    useLibrary(world);
    await world.start("a1", "b1");
    await world.until(
      "b1 sees a1 on the mirror",
      async () => {
        const status = await world.status("b1", 2000);
        const [host] = status.sites[0]?.hosts ?? [];
        return host?.paths.find(({ path: name }) => name === "a-b")?.status === "ok";
      },
      longMs,
    );
  }));

test.run();
