/**
 * What every remote copy must do alike, whatever it is made of: the life of a pair, what is
 * refused, and each fault that its bench can cause. Prints what does not apply to it, and why; on
 * a machine that cannot have the bench it prints why and passes.
 *
 * Each check begins with the pair simplex and ends by the bench's reset, also where it fails.
 */
import { suite } from "uvu";
import type { BenchMade, ConformanceBench } from "./conformance-bench.ts";
import { faultChecks } from "./conformance-faults.ts";
import { lifeChecks } from "./conformance-life.ts";
import type { Check } from "./conformance-tools.ts";

type Row = {
  readonly name: string;
  /** null where it applies, else why not. */
  readonly reason: string | null;
  readonly check: Check;
};

function rowsOf(bench: ConformanceBench): readonly Row[] {
  const life = lifeChecks.map(({ name, needs, check }): Row => {
    const missing = needs.find(
      ([end, verb]) => !bench.ends[end].provider.capabilities.verbs.includes(verb),
    );
    return { name, reason: missing ? `it has no ${missing[1]}` : null, check };
  });
  const names = Object.keys(faultChecks) as (keyof typeof faultChecks)[];
  const { verbs } = bench.ends.writer.provider.capabilities;
  const faults = names.flatMap((fault) =>
    faultChecks[fault].map(({ name, check, splits }): Row => {
      const cause = bench.faults[fault];
      if (splits && !verbs.includes("split")) {
        return { name, reason: "it has no split", check: () => Promise.resolve() };
      }
      if (!cause) return { name, reason: `no fault ${fault} here`, check: () => Promise.resolve() };
      return { name, reason: null, check: (on) => check(on, cause) };
    }),
  );
  return [...life, ...faults];
}

const asked: { readonly name: string; readonly made: Promise<BenchMade> }[] = [];

/** A file may ask for several; nothing is run before each has its bench, or none. */
export function conformanceTests(name: string, makeBench: () => Promise<BenchMade>): void {
  asked.push({ name, made: makeBench() });
  if (asked.length === 1) void Promise.resolve().then(registerAll);
}

async function registerAll(): Promise<void> {
  for (const { name, made } of await Promise.all(
    asked.map(async (one) => ({ name: one.name, made: await one.made })),
  )) {
    if (made.ok) register(name, made.bench);
    else skip(name, made.reason);
  }
}

/** One test all the same: a file without any has failed. */
function skip(name: string, reason: string): void {
  console.log(`skipped: conformance of ${name}: ${reason}`);
  const test = suite(`conformance of ${name}`);
  test("cannot be had here", () => undefined);
  test.run();
}

function register(name: string, bench: ConformanceBench): void {
  console.log(`conformance of ${name}: ${bench.title}`);
  const test = suite(`conformance of ${name}`);
  for (const row of rowsOf(bench)) {
    if (row.reason !== null) {
      console.log(`not applicable: ${name}: ${row.name}: ${row.reason}`);
      continue;
    }
    test(row.name, async () => {
      try {
        await row.check(bench);
      } finally {
        await bench.reset();
      }
    });
  }
  test.after(() => bench.end());
  test.run();
}
