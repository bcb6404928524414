/** The verb that is not for people: by hand it says so, and the help does not name it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exitCodes } from "../core/base/exit-codes.ts";
import { runProgram } from "../testing/agent-process.ts";
import { isConsoleText } from "../testing/verb-run.ts";

test("by hand it refuses", async () => {
  for (const args of [[], ["/lib/some.so"], ["/lib/some.so", "more"], ["--help"]]) {
    const { code, out, err } = await runProgram(["vendor-host", ...args]);
    assert.is(code, exitCodes.usage);
    assert.is(out, "");
    assert.match(err, /^mirrorbeat vendor-host: is started by the program itself/);
    assert.ok(isConsoleText(err), err);
  }
});

test("the help does not name it", async () => {
  const { out } = await runProgram(["--help"]);
  assert.not.match(out, /vendor-host/);
});

test.run();
