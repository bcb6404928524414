/** What every provider must do alike, on the stand-in for CCI. */
// test-limit-seconds: 240
import { makeBench } from "./horcm/testing/bench.ts";
import { conformanceTests } from "./testing/conformance.ts";

conformanceTests("horcm", makeBench);
