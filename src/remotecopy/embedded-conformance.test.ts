// test-limit-seconds: 240
/** The embedded copy does what every remote copy must do. */
import { childWord, copyChild, makeBench, makeLoopBench } from "./embedded/testing/conformance.ts";
import { conformanceTests } from "./testing/conformance.ts";

if (process.argv[2] === childWord) {
  void copyChild(process.argv.slice(3));
} else {
  conformanceTests("embedded", makeBench);
  conformanceTests("embedded on loop devices", makeLoopBench);
}
