// test-limit-seconds: 180
import { makeBench } from "./drbd/testing/bench.ts";
import { conformanceTests } from "./testing/conformance.ts";

conformanceTests("drbd 8.4", () => makeBench(8));
