import { test } from "uvu";
import * as assert from "uvu/assert";
import { Pace, relaxedScanMs } from "./pace.ts";

const scanMs = 10;

test("without news: every scan interval, and rarely after five quiet seconds", () => {
  const pace = new Pace(scanMs, 0);
  pace.scanned(0, false);
  assert.is(pace.nextMs(0), 10);
  pace.scanned(4990, false);
  assert.is(pace.nextMs(4990), 5000);
  pace.scanned(5010, false);
  assert.is(pace.nextMs(5010), 5010 + relaxedScanMs);
  pace.scanned(6000, true);
  assert.is(pace.nextMs(6000), 6010);
});

test("news starts a scan at once, but not sooner than one interval after the last", () => {
  const pace = new Pace(scanMs, 0);
  pace.scanned(10_000, false);
  pace.news(10_004);
  assert.is(pace.nextMs(10_004), 10_010);
  pace.news(10_080);
  assert.ok(pace.nextMs(10_080) <= 10_080);
});

test("announced changes earn trust, before the scan or just after it", () => {
  const before = new Pace(scanMs, 0);
  before.scanned(0, false);
  before.news(5);
  before.scanned(10, true);
  assert.ok(before.isTrusted(10));
  assert.is(before.nextMs(10), 10 + relaxedScanMs);
  const after = new Pace(scanMs, 0);
  after.scanned(100, false);
  after.scanned(110, true);
  assert.not(after.isTrusted(110));
  after.news(111);
  assert.ok(after.isTrusted(200));
});

test("one change that was not announced costs the trust for a minute", () => {
  const pace = new Pace(scanMs, 0);
  pace.news(5);
  pace.scanned(10, true);
  assert.ok(pace.isTrusted(20));
  pace.scanned(1000, false);
  pace.scanned(1100, true);
  assert.not(pace.isTrusted(1200));
  assert.is(pace.nextMs(1200), 1110);
  pace.news(2000);
  pace.scanned(2001, true);
  assert.not(pace.isTrusted(2002));
  assert.not(pace.isTrusted(61_000));
  assert.ok(pace.isTrusted(61_300));
});

test("news that a change found just now explains does not call for a search", () => {
  const pace = new Pace(scanMs, 0);
  pace.scanned(1000, true);
  pace.news(1005);
  assert.ok(pace.hasNews);
  assert.not(pace.hasUnexplainedNews);
  pace.scanned(1010, false);
  pace.news(1100);
  assert.ok(pace.hasUnexplainedNews);
});

test.run();
