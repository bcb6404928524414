// test-limit-seconds: 240
import { makeBench } from "./qemu/testing/bench.ts";
import { conformanceTests } from "./testing/conformance.ts";

conformanceTests("qemu", makeBench);
