/** Latencies from a file: what is taken, what is refused, and that a pair lags by them. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { giveLatencies, lagSourceOf, parseLatencyTrace } from "./latency-trace.ts";
import { randomOf } from "./random.ts";
import { setupNamed } from "./setups.ts";
import { SimulatedWorld } from "./world.ts";

const faultsOf = (text: string): readonly string[] => {
  const parsed = parseLatencyTrace(text, "link.txt");
  return parsed.ok ? [] : parsed.faults;
};

test("numbers, comments and empty lines", () => {
  const parsed = parseLatencyTrace("# of Monday\n12.5\n\n 7 # late\r\n0\n", "link.txt");
  assert.equal(parsed, { ok: true, latenciesMs: [12.5, 7, 0] });
});

test("a bad line is named: file, line, value, remedy", () => {
  assert.equal(faultsOf("5\nfast\n-1\n1e3\n4000000\n").length, 4);
  const [first = "", second = "", , fourth = ""] = faultsOf("5\nfast\n-1\n1e3\n4000000\n");
  assert.is(
    first,
    'link.txt:2: "fast" is no latency; give milliseconds, such as 12.5; a comment begins with #',
  );
  assert.match(second, /^link\.txt:3: "-1"/);
  assert.match(fourth, /^link\.txt:5: "4000000" is longer than an hour/);
  assert.match(faultsOf("\u00e4\u0007\n")[0] ?? "", /^[\x20-\x7e]*$/, "whatever stands there");
  assert.equal(faultsOf("# nothing\n"), [
    "link.txt:1: no latency in it; give one in milliseconds a line",
  ]);
});

test("a file that is none is told in a few lines", () => {
  const faults = faultsOf("x\n".repeat(1000));
  assert.is(faults.length, 11);
  assert.is(faults.at(-1), "link.txt: and 990 lines more");
});

test("one after the other, and again from the start; the seed says from where", () => {
  const latencies = Array.from({ length: 50 }, (_, at) => at);
  const firsts = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const next = lagSourceOf(latencies, randomOf(seed));
    const first = next();
    firsts.add(first);
    for (let at = 1; at <= 60; at++) assert.is(next(), (first + at) % 50);
  }
  assert.ok(firsts.size > 5);
});

test("what is written arrives so much later, each write in its order", async () => {
  const setup = setupNamed("pair");
  if (!setup) throw new Error("no set-up");
  const world = new SimulatedWorld(setup.config, 3);
  giveLatencies(world, [700]);
  const pair = world.pair("east");
  const arrivedMs: number[] = [];
  pair.secondary.onWrite(({ block }) => {
    if (block === 20 || block === 21) arrivedMs.push(world.nowMs);
  });
  const written = pair.disks[pair.primary];
  written.write(20, Buffer.alloc(4096, 1), null);
  await world.run(100);
  written.write(21, Buffer.alloc(4096, 2), null);
  await world.run(2000);
  assert.equal(arrivedMs, [700, 800]);
});

test("the sample has a long tail", () => {
  const parsed = parseLatencyTrace(readFileSync("fixtures/simulation/latency.txt", "utf8"), "it");
  assert.ok(parsed.ok);
  const sorted = [...(parsed.ok ? parsed.latenciesMs : [])].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  assert.ok(median < 30 && (sorted.at(-1) ?? 0) > 50 * median);
});

test.run();
