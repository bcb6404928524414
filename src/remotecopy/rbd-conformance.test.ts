/** The conformance suite on a stand-in for two Ceph clusters. */
// test-limit-seconds: 240
import { makeBench } from "./rbd/testing/bench.ts";
import { conformanceTests } from "./testing/conformance.ts";

conformanceTests("rbd", makeBench);
