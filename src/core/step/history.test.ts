/**
 * Random histories (testing/history.ts): faults and commands in any order, at any moment. More of
 * them by the environment: MIRRORBEAT_HISTORIES=N histories, from MIRRORBEAT_HISTORY_SEED on, of
 * the topology MIRRORBEAT_HISTORY_TOPOLOGY; one that fails is told in its shortest form.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  failed,
  historyOf,
  reportOf,
  runHistory,
  shortest,
  topologies,
} from "../../testing/history.ts";

// test-limit-seconds: 3600
/** Found faults once; with the topologies that were added since they draw other histories. */
const kept = [9, 226, 1075];
/** As many as fit in this time, where no number is asked for. */
const usualMs = 30_000;

function told(seed: number): string | null {
  const history = historyOf(seed, asked);
  if (!failed(runHistory(history))) return null;
  const least = shortest(history);
  return reportOf(seed, least, runHistory(least));
}

const { env } = process;
const topology = env["MIRRORBEAT_HISTORY_TOPOLOGY"];
const asked = topologies.filter(({ name }) => topology === undefined || name === topology);
const count = Number(env["MIRRORBEAT_HISTORIES"] ?? 0);
const first = Number(env["MIRRORBEAT_HISTORY_SEED"] ?? 1);

test("histories that found a fault once: never two sites at once, and one of them in the end", () => {
  for (const seed of count > 0 ? [] : kept) assert.is(told(seed), null);
});

test("random histories: never two sites at once, and one of them in the end", () => {
  const endMs = Date.now() + usualMs;
  const more = (seed: number): boolean => (count > 0 ? seed < first + count : Date.now() < endMs);
  const bad: string[] = [];
  let seed = first;
  for (; more(seed) && bad.length < 5; seed++) {
    const report = told(seed);
    if (report !== null) bad.push(report);
  }
  process.stdout.write(`histories: ${seed - first}\n`);
  assert.is(bad.join("\n\n"), "");
});

test.run();
