/** The real clocks and nonces. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bootId, nonceSource, realClock, wallText } from "./clock.ts";

test("the monotonic clock rises in milliseconds; the wall clock is display", async () => {
  const before = realClock.nowMs();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const tookMs = realClock.nowMs() - before;
  assert.ok(tookMs >= 25 && tookMs < 5000, `${tookMs} ms`);
  assert.ok(Math.abs(Number(realClock.wallNs() / 1_000_000n) - Date.now()) < 1000);
  assert.is(wallText(1_795_332_664_120_000_000n), "2026-11-22T07:31:04.120Z");
});

test("nonces do not repeat, across batches and sources", () => {
  const [one, other] = [nonceSource(), nonceSource()];
  const nonces = Array.from({ length: 2000 }, (_, n) => (n % 2 ? one : other)());
  assert.is(new Set(nonces).size, nonces.length);
  assert.ok(nonces.every((nonce) => nonce >= 0n && nonce < 1n << 64n));
});

test("the boot id is the kernel's", () => {
  assert.match(bootId(), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.is(bootId(), bootId());
});

test.run();
