// test-limit-seconds: 90
/** `status`, `events`, `enable` and `disable` as commands: answers, exit codes, dead agents. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withWorld } from "../testing/agent-world.ts";

type Json = Record<string, unknown>;

test("status: running, ended in order, killed, hung; exit codes after LSB", () =>
  withWorld({}, async (world) => {
    const never = await world.verb("b1", "status");
    assert.is(never.code, 3);
    assert.match(never.out, /^AGENT NOT RUNNING on b1/);
    assert.is(never.err, "");
    await world.beating();
    const text = await world.verb("b1", "status");
    assert.is(text.code, 0);
    assert.match(text.out, /^VERDICT {2}site a: alive \(row 1\)\n/);
    assert.ok(text.out.split("\n").every((line) => line.length <= 80));
    const json = JSON.parse((await world.verb("b1", "status", "--json")).out) as Json;
    assert.equal([json["schema"], json["running"], json["host"]], [1, true, "b1"]);

    const { process: running, runFolder } = world.host("b1");
    running?.kill("SIGSTOP");
    const hung = await world.verb("b1", "status");
    assert.is(hung.code, 4, hung.out);
    running?.kill("SIGCONT");

    await world.untilRow("b1", "a", "1");
    await world.killHost("b1");
    const dead = await world.verb("b1", "status", "--json");
    assert.is(dead.code, 1, "dead, and its pid file is left");
    const last = JSON.parse(dead.out) as { running: boolean; last: Json };
    assert.is(last.running, false);
    assert.is(last.last["host"], "b1");
    const told = await world.verb("b1", "status");
    assert.match(told.out, /last known, at \d{4}-/);

    await world.start("b1");
    await world.stop("b1");
    assert.is((await world.verb("b1", "status")).code, 3, "stopped");
    assert.ok(!existsSync(path.join(runFolder, "mirrorbeat.pid")));
    writeFileSync(path.join(runFolder, "state.json"), "{damaged");
    assert.is((await world.verb("b1", "status")).code, 3, "a damaged last state is no state");
    writeFileSync(path.join(runFolder, "state.json"), "{}");
    assert.is((await world.verb("b1", "status")).code, 3, "nor is a strange one");
    writeFileSync(path.join(runFolder, "mirrorbeat.pid"), "1\n");
    assert.is((await world.verb("b1", "status")).code, 1, "the pid of another program");
    assert.is((await world.verb("b1", "status", "more")).code, 64);
    assert.is((await world.verb("b1", "status", "--nonsense")).code, 64);
  }));

test("events: by kind, by time, the last ones, as JSON; with the agent dead", () =>
  withWorld({}, async (world) => {
    const none = await world.verb("b1", "events");
    assert.is(none.code, 66);
    assert.match(none.err, /no journal; has an agent run here/);
    await world.beating();
    await world.killHost("b1");
    const all = await world.verb("b1", "events", "--last", "0");
    assert.is(all.code, 0);
    const lines = all.out.trimEnd().split("\n");
    assert.ok(lines.every((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z level=\w+ ev=\w+/.test(line)));
    assert.match(lines[0] ?? "", "ev=start");
    const groups = await world.verb("b1", "events", "--kind", "group");
    assert.ok(
      groups.out
        .split("\n")
        .slice(0, -1)
        .every((line) => line.includes("ev=group")),
    );
    const two = await world.verb("b1", "events", "--last", "2");
    assert.equal(two.out.trimEnd().split("\n"), lines.slice(-2));
    const json = await world.verb("b1", "events", "--json", "--last", "1");
    assert.is((JSON.parse(json.out) as Json)["schema"], 1);
    const later = await world.verb("b1", "events", "--since", "2999-01-01T00:00");
    assert.equal([later.code, later.out], [0, ""]);
    const journal = path.join(world.host("b1").stateFolder, "journal.log");
    writeFileSync(journal, `${readFileSync(journal, "utf8")}torn line without`);
    assert.is((await world.verb("b1", "events", "--last", "0")).out, all.out);
    assert.is((await world.verb("b1", "events", "--last", "-1")).code, 64);
    assert.is((await world.verb("b1", "events", "--last", "x")).code, 64);
    rmSync(world.host("b1").stateFolder, { recursive: true });
    assert.is((await world.verb("b1", "events")).code, 66);
  }));

test("enable and disable: what there is, what there is not, and without an agent", () =>
  withWorld({}, async (world) => {
    const off = await world.verb("b1", "disable", "network");
    assert.is(off.code, 69);
    await world.beating();
    for (const [args, says] of [
      [["mirror", "x-y"], /no mirror 'x-y'; there are: a-b, b-a/],
      [["host", "zz"], /no host 'zz'; there are: b1, a1/],
    ] as const) {
      const { code, err } = await world.verb("b1", "disable", ...args);
      assert.is(code, 64, err);
      assert.match(err, says);
    }
    for (const args of [
      [],
      ["network", "lan"],
      ["mirror"],
      ["host"],
      ["everything"],
      ["host", "a1", "b1"],
    ])
      assert.is((await world.verb("b1", "enable", ...args)).code, 64, args.join(" "));
    const done = await world.verb("b1", "disable", "network", "--json");
    assert.equal(JSON.parse(done.out), {
      schema: 1, ok: true, code: 0, message: "the network path is disabled",
    }); // biome-ignore format: one object
    const again = await world.verb("b1", "disable", "network");
    assert.is(again.code, 0, "done already");
    assert.is(world.count("b1", "switch"), 1, "told once");
    assert.is((await world.verb("b1", "enable", "network")).code, 0);
    await world.untilRow("b1", "a", "1");
  }));

test.run();
