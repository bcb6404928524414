// test-limit-seconds: 180
import { conformanceTests } from "./testing/conformance.ts";
import { makeBench } from "./vendor/testing/bench.ts";

conformanceTests("vendor", makeBench);
