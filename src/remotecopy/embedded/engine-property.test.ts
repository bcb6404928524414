// test-limit-seconds: 180
/**
 * After any sequence of writes and commands that ends with a resync, SVOL and PVOL are equal; and
 * while the pair is split the SVOL never changes.
 */
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Bench, block, Folder, pause, startBench } from "./testing/bench.ts";

const blocks = 300;
const linkTimeoutMs = 20;

type Step =
  | { readonly kind: "write"; readonly block: number; readonly fill: number }
  | {
      readonly kind: "command";
      readonly name: "split" | "cut" | "heal" | "resync" | "create" | "delete";
    }
  | { readonly kind: "lag"; readonly ms: number }
  | { readonly kind: "tear"; readonly ms: number }
  | { readonly kind: "wait"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      block: fc.oneof(fc.nat(8), fc.nat(blocks - 1)),
      fill: fc.nat(255),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("command" as const),
      name: fc.constantFrom("split", "cut", "heal", "resync", "resync", "create", "delete"),
    }),
  },
  fc.record({ kind: fc.constant("lag" as const), ms: fc.constantFrom(0, 0, 5, 30) }),
  fc.record({ kind: fc.constant("tear" as const), ms: fc.constantFrom(0, 0, 1) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(30) }) },
);

const isStill = (bench: Bench) => {
  const { state } = bench.engine.view();
  return state === "suspended-by-operator" || state === "simplex";
};

async function take(bench: Bench, next: Step): Promise<void> {
  switch (next.kind) {
    case "write":
      return bench.pvol.write(next.block, block(next.fill));
    case "command":
      await bench.order(next.name);
      return;
    case "lag":
    case "tear":
      return bench.obey(next.kind, next.ms);
    case "wait":
      await pause(next.ms);
  }
}

async function playAll(bench: Bench, steps: readonly Step[]): Promise<void> {
  let frozen: Buffer | null = isStill(bench) ? await bench.svol.read() : null;
  for (const next of steps) {
    await take(bench, next);
    const now = await bench.svol.read();
    if (!isStill(bench)) frozen = null;
    else if (frozen === null) frozen = now;
    else assert.ok(frozen.equals(now), "split, the SVOL never changes");
  }
  await bench.obey("heal");
  await bench.obey("tear", 0);
  if (!(await bench.order("resync")).ok) await bench.obey("create");
  await bench.settle();
}

for (const deaf of [false, true]) {
  test(`any sequence ends equal${deaf ? ", without the kernel's news" : ""}`, () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const folder = new Folder();
        const options = { linkTimeoutMs, deaf, force: true };
        const bench = await startBench(folder.file(blocks), folder.file(blocks), options);
        try {
          await playAll(bench, steps);
        } finally {
          await bench.end();
          folder.remove();
        }
      }),
      { numRuns: 40, endOnFailure: true },
    ));
}

test.run();
