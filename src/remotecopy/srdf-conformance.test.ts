/** The conformance suite on a stand-in for Solutions Enabler. */
// test-limit-seconds: 240
import { makeBench } from "./srdf/testing/bench.ts";
import { conformanceTests } from "./testing/conformance.ts";

conformanceTests("srdf", makeBench);
