// test-limit-seconds: 180
import { makeBench } from "./exec/testing/bench.ts";
import { conformanceTests } from "./testing/conformance.ts";

conformanceTests("exec", makeBench);
