import { test } from "uvu";
import {
  failed,
  historyOf,
  reportOf,
  runHistory,
  shortest,
  topologies,
} from "../../testing/history.ts";
// test-limit-seconds: 600
test("histories", () => {
  const from = Number(process.env["SEED"] ?? 1),
    ms = Number(process.env["MS"] ?? 60000),
    max = Number(process.env["FAILS"] ?? 2);
  const only = topologies.filter((t) => (process.env["TOPO"] ?? t.name) === t.name);
  const t0 = Date.now();
  let n = 0,
    fails = 0;
  const bad: string[] = [];
  const count = Number(process.env["COUNT"] ?? 1e9);
  for (let seed = from; Date.now() - t0 < ms && n < count; seed++, n++) {
    const history = historyOf(seed, only);
    const outcome = runHistory(history);
    if (!failed(outcome)) continue;
    fails++;
    bad.push(`${seed}${outcome.breaches.length ? "B" : "h"}`);
    if (fails > max) continue;
    const s = shortest(history);
    console.log(reportOf(seed, s, runHistory(s)));
  }
  console.log("seeds", n, "failed", fails, bad.join(" "));
});
test.run();
