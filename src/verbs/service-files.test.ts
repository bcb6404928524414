// test-limit-seconds: 120
/** The service files of fixtures/service: what they promise, their syntax, and real runs of them. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Ended, program, runTool } from "../testing/agent-process.ts";
import { withWorld, type World } from "../testing/agent-world.ts";
import { needProgram, testWhere } from "../testing/where.ts";

const folder = path.resolve("fixtures/service");
const units = ["mirrorbeat.service", "mirrorbeat-gate.service", "mirrorbeat-witness.service"];
const scripts = ["mirrorbeat.init", "mirrorbeat.openrc", "mirrorbeat-respawn"];
const installed = "/usr/local/sbin/mirrorbeat";

const textOf = (name: string): string => readFileSync(path.join(folder, name), "utf8");

/** Values of a key of a unit. */
const valuesOf = (unit: string, key: string): readonly string[] =>
  [...textOf(unit).matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].flatMap(([, value = ""]) =>
    value.split(" "),
  );

async function sh(script: string, ...args: readonly string[]): Promise<Ended> {
  return runTool("sh", [script, ...args], 60_000);
}

testWhere(
  test,
  [needProgram("systemd-analyze", "systemd")],
  "systemd understands every line of the units",
  async () => {
    const place = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-units-"));
    try {
      const files = units.map((name) => path.join(place, name));
      // The program need not be installed where this is tested.
      units.forEach((name, index) =>
        writeFileSync(files[index] ?? "", textOf(name).replaceAll(installed, "/bin/true")),
      );
      const { code, out, err } = await runTool("systemd-analyze", ["verify", ...files]);
      assert.equal([code, out.trim(), err.trim()], [0, "", ""]);
      writeFileSync(files[0] ?? "", `${textOf(units[0] ?? "")}\nRestartPreventExit=78\n`);
      const spoilt = await runTool("systemd-analyze", ["verify", files[0] ?? ""]);
      assert.match(spoilt.err, /RestartPreventExit/, "and tells what it does not understand");
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  },
);

test("the units keep what the agent needs: no wait for a network, none for the data", () => {
  for (const unit of ["mirrorbeat.service", "mirrorbeat-witness.service"]) {
    assert.equal(valuesOf(unit, "Type"), ["notify"], unit);
    assert.equal(valuesOf(unit, "NotifyAccess"), ["main"], unit);
    assert.equal(valuesOf(unit, "RestartPreventExitStatus"), ["78"], unit);
    assert.equal(valuesOf(unit, "LimitMEMLOCK"), ["infinity"], unit);
    assert.equal(valuesOf(unit, "WatchdogSec"), ["15"], unit);
  }
  for (const unit of units) assert.not.match(textOf(unit), /network-online/, unit);
  assert.not.match(textOf("mirrorbeat.service"), /^(After|Wants|Requires)=.*network/m);
  const gate = "mirrorbeat-gate.service";
  assert.equal(valuesOf(gate, "Before"), ["srv-data.mount", "pacemaker.service", "booth.service"]);
  assert.equal(valuesOf(gate, "RequiresMountsFor"), []);
  assert.equal(valuesOf(gate, "Requires"), [], "an agent's restart must not unmount the data");
  const wait = Number(/--wait (\d+)/.exec(textOf(gate))?.[1]);
  assert.ok(Number(valuesOf(gate, "TimeoutStartSec")[0]) > wait);
  assert.match(textOf("mirrorbeat.openrc"), /^\s+after /m);
  assert.not.match(textOf("mirrorbeat.openrc"), /^\s+(need|use).* net\b/m);
  assert.not.match(textOf("mirrorbeat.init"), /\$network/);
});

for (const script of scripts) {
  test(`${script}: a POSIX shell reads it`, async () => {
    for (const shell of ["sh", "dash", "bash"]) {
      if (needProgram(shell, shell) !== null) continue;
      const args = shell === "bash" ? ["--posix", "-n"] : ["-n"];
      const { code, err } = await runTool(shell, [...args, path.join(folder, script)]);
      assert.equal([code, err], [0, ""], shell);
    }
    // What dash and BusyBox do not have.
    assert.not.match(textOf(script), /\[\[ |^\s*(function|declare|local) |\$\{\w+\[|&>|<<</m);
  });
}

testWhere(
  test,
  [needProgram("shellcheck", "shellcheck")],
  "shellcheck has nothing to say",
  async () => {
    for (const script of ["mirrorbeat.init", "mirrorbeat-respawn"]) {
      const { code, out } = await runTool("shellcheck", ["-s", "sh", path.join(folder, script)]);
      assert.is(code, 0, out);
    }
  },
);

/** The init script with this host's configuration, and how it is called. */
function initOf(world: World, name: string) {
  const { configFile, runFolder, folder: own } = world.host(name);
  const defaults = path.join(own, "default");
  const log = path.join(own, "log");
  const settings = (more = ""): void =>
    writeFileSync(
      defaults,
      `program=${program}\nconfig=${configFile}\nhost=${name}\nrun_folder=${runFolder}\nlog=${log}\n${more}`,
    );
  settings();
  const script = path.join(folder, "mirrorbeat.init");
  const call = (word: string): Promise<Ended> =>
    runTool("env", [`MIRRORBEAT_DEFAULTS=${defaults}`, "sh", script, word], 60_000);
  const pid = (): string => readFileSync(path.join(runFolder, "mirrorbeat.pid"), "utf8").trim();
  return { call, settings, pid, log, pidFile: path.join(runFolder, "mirrorbeat.pid") };
}

test("the LSB script: start, status, restart, stop, and what cannot be started", () =>
  withWorld({}, async (world) => {
    const init = initOf(world, "a1");
    const { call } = init;
    assert.is((await call("status")).code, 3);
    const started = await call("start");
    assert.is(started.code, 0, started.err);
    try {
      assert.match(started.out, /^mirrorbeat: started \(pid \d+\)\n$/);
      const first = init.pid();
      assert.is((await call("status")).code, 0);
      const again = await call("start");
      assert.equal([again.code, again.out], [0, `mirrorbeat: runs already (pid ${first})\n`]);
      assert.is((await call("restart")).code, 0);
      assert.is.not(init.pid(), first);
      assert.is((await call("try-restart")).code, 0);
    } finally {
      assert.equal(await call("stop"), { code: 0, out: "mirrorbeat: stopped\n", err: "" });
    }
    assert.ok(!existsSync(init.pidFile));
    assert.is((await call("status")).code, 3);
    assert.equal(await call("stop"), { code: 0, out: "mirrorbeat: does not run\n", err: "" });
    assert.is((await call("try-restart")).code, 0);
    assert.is((await call("status")).code, 3, "try-restart starts nothing");
    // A pid file that a killed agent left, and whose number is another program's now.
    writeFileSync(init.pidFile, `${process.pid}\n`);
    assert.is((await call("status")).code, 1);
    assert.equal((await call("stop")).out, "mirrorbeat: does not run\n", "and that is left alone");
    rmSync(init.pidFile);

    world.writeConfig("a1", (text) => text.replace("cluster =", "clutter ="));
    const wrong = await call("start");
    assert.is(wrong.code, 6, wrong.out);
    assert.match(wrong.err, /^mirrorbeat: not started \(exit 78\): mirrorbeat run: .*\n$/);
    init.settings("config=/nowhere/mirrorbeat.toml\n");
    assert.is((await call("start")).code, 6);
    init.settings("program=/nowhere/mirrorbeat\n");
    assert.is((await call("start")).code, 5);
    assert.is((await call("nonsense")).code, 2);
  }));

test("the respawn script: the agent's code, a pause, and an orderly end", () =>
  withWorld({}, async (world) => {
    const { configFile, runFolder, folder: own } = world.host("a1");
    const env = [
      `MIRRORBEAT=${program}`, `MIRRORBEAT_LOG=${own}/log`, `MIRRORBEAT_RUN=${runFolder}`,
      "MIRRORBEAT_PAUSE=0", "MIRRORBEAT_LONG_PAUSE=0",
    ]; // biome-ignore format: a list
    const script = path.join(folder, "mirrorbeat-respawn");
    const run = (...args: readonly string[]) =>
      runTool("env", [...env, "sh", script, ...args], 60_000);
    const pidFile = path.join(runFolder, "mirrorbeat.pid");
    assert.is((await run("stop")).code, 0, "nothing runs: nothing to stop");
    assert.is((await run("--config", `${configFile}.none`)).code, 66);
    const running = run("--config", configFile, "--host", "a1");
    await world.until("the agent runs", () => existsSync(pidFile));
    assert.is((await run("stop")).code, 0);
    assert.is((await running).code, 0);
    assert.ok(!existsSync(pidFile));
    assert.match(readFileSync(`${own}/log`, "utf8"), /ev=stop/);
    // A pause of its own for each: told by what it would sleep.
    const fake = path.join(own, "fake");
    writeFileSync(fake, "#!/bin/sh\nexit 78\n");
    chmodSync(fake, 0o755);
    const slept = await runTool("env", [
      ...env, `MIRRORBEAT=${fake}`, "MIRRORBEAT_LONG_PAUSE=nonsense", "sh", script,
    ]); // biome-ignore format: a command
    assert.match(slept.err, /sleep.*nonsense/, "a wrong configuration: the long pause");
  }));

test("the respawn script passes a signal on, and waits for the agent", () =>
  withWorld({}, async (world) => {
    const { configFile, runFolder, folder: own } = world.host("a1");
    const pidFile = path.join(runFolder, "mirrorbeat.pid");
    const outer = path.join(own, "outer.sh");
    const script = path.join(folder, "mirrorbeat-respawn");
    writeFileSync(
      outer,
      `MIRRORBEAT=${program} MIRRORBEAT_LOG=${own}/log MIRRORBEAT_RUN=${runFolder} sh ${script} --config ${configFile} --host a1 &
pid=$!
until [ -e ${pidFile} ]; do sleep 0.1; done
kill -TERM $pid
wait $pid
echo "end $?"; [ -e ${pidFile} ] || echo gone
`,
    );
    const { out } = await sh(outer);
    assert.is(out, "end 0\ngone\n");
  }));

test.run();
