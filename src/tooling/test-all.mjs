// test-all.mjs NATIVE [FILTER...]: the C tests under sanitizers, then every test of src; one total.
import { spawn } from "node:child_process";

const [native, ...filters] = process.argv.slice(2);

/** Runs a command, shows its output, and reads its closing "N passed, N failed". */
function counted(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let tail = "";
    child.stdout.on("data", (data) => {
      const text = tail + data;
      const lines = text.split("\n");
      tail = lines.pop() ?? "";
      for (const line of lines) show(line);
    });
    let counts = null;
    const show = (line) => {
      const match = /^(\d+) passed, (\d+) failed$/.exec(line);
      if (match) counts = { passed: Number(match[1]), failed: Number(match[2]) };
      else console.log(line);
    };
    child.on("close", (code) => {
      if (tail) show(tail);
      // A run that says nothing of itself, or fails without a failed test, is a failure.
      const result = counts ?? { passed: 0, failed: 1 };
      if (code !== 0 && result.failed === 0) result.failed = 1;
      if (result.passed === 0 && result.failed === 0) result.failed = 1;
      resolve(result);
    });
  });
}

const totals = { passed: 0, failed: 0 };
const add = ({ passed, failed }) => {
  totals.passed += passed;
  totals.failed += failed;
};
if (filters.length === 0) {
  console.log("native, under AddressSanitizer and UndefinedBehaviorSanitizer:");
  add(
    await counted("make", [
      "-s",
      "-C",
      "native",
      "check",
      `OUT=${process.cwd()}/.build/native-check`,
    ]),
  );
}
add(await counted(process.execPath, ["src/tooling/run-tests.mjs", native, ...filters]));
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed ? 1 : 0;
