// test-limit-seconds: 200
/** What surrounds an agent goes wrong: its output, its disks, its folders, its socket, its own life. */
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync,
  writeFileSync,
} from "node:fs"; // biome-ignore format: one list
import net from "node:net";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { slotOf } from "../testing/agent-sectors.ts";
import { dist, runTool } from "../testing/agent-process.ts";
import { pause, withWorld, type World } from "../testing/agent-world.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const calm = { marginMs: 1600 };

const serial = (world: World, mirror: string): bigint =>
  slotOf(world.volume(mirror, "pvol"), 0).newest().serial;

async function beatsOn(world: World, mirror: string): Promise<void> {
  const before = serial(world, mirror);
  await world.until(`beats on ${mirror}`, () => serial(world, mirror) > before + 4n);
}

/** A group row as the status tells it: for a host whose standard error nobody reads. */
const rowByStatus = async (world: World, host: string): Promise<string | null> =>
  (await world.status(host)).sites[0]?.row ?? null;

test("standard error closed, or a pipe that nobody reads: beats, judges and ends all the same", () =>
  withWorld({ timing: { marginMs: 600 } }, async (world) => {
    const fifo = path.join(world.folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      for (;;) {
        try {
          writeFileSync(pipe, Buffer.alloc(4096, "x"));
        } catch {
          break; // full
        }
      }
      const writing = openSync(fifo, constants.O_WRONLY);
      await world.start("a1");
      world.launch("b1", { stderr: writing });
      closeSync(writing);
      await world.until("b1 answers", async () => (await world.ask("b1", { op: "status" })).ok);
      await world.until("row 1", async () => (await rowByStatus(world, "b1")) === "1");
      for (let round = 0; round < 10; round++) {
        world.lan.cut("a1", "b1");
        await world.until("row 2", async () => (await rowByStatus(world, "b1")) === "2");
        world.lan.heal();
        await world.until("row 1", async () => (await rowByStatus(world, "b1")) === "1");
      }
      await beatsOn(world, "b-a");
      const rows = world
        .journal("b1")
        .filter((e) => e["ev"] === "group")
        .map((e) => e["row"]);
      assert.ok(rows.filter((row) => row === "2").length >= 10, "the journal has it all");
      const beganMs = performance.now();
      const ended = await Promise.race([world.stop("b1"), pause(15_000).then(() => "hangs")]);
      const tookMs = performance.now() - beganMs;
      console.log(`# ended with a full pipe on stderr in ${tookMs.toFixed(0)} ms`);
      assert.is(ended, 0, "it ends in order though its standard error takes nothing");
      await world.untilRow("a1", "b", "0c");
    } finally {
      closeSync(pipe);
    }
    const started = world.launch("b1", {
      command: "sh",
      args: ["-c", 'exec "$0" "$@" 2>&-', `${process.env["MIRRORBEAT_DIST"] ?? "dist"}/mirrorbeat`],
    });
    await world.until(
      "b1 answers",
      async () => !started.alive || (await world.ask("b1", { op: "status" })).ok,
    );
    assert.ok(started.alive, "closed from the beginning");
    await world.until("row 1", async () => (await rowByStatus(world, "b1")) === "1");
    assert.is(await world.stop("b1"), 0);
  }));

test("standard error is a socket that nobody reads: it ends in order all the same", () =>
  withWorld({}, async (world) => {
    const file = path.join(world.folder, "log.sock");
    const server = net.createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(file, resolve));
    const client = net.connect(file);
    client.on("error", () => undefined);
    await new Promise<void>((resolve) => client.once("connect", resolve));
    // Full: what the system takes, and more that waits here.
    while (client.write(Buffer.alloc(65_536))) await pause(1);
    for (let n = 0; n < 16; n++) client.write(Buffer.alloc(65_536));
    try {
      const command = `${dist}/mirrorbeat`;
      const args = ["run", "--config", world.host("b1").configFile];
      const child = spawn(command, args, { stdio: ["ignore", "ignore", client] });
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      try {
        await world.start("a1");
        await world.until("b1 answers", async () => (await world.ask("b1", { op: "status" })).ok);
        await world.until("row 1", async () => (await rowByStatus(world, "b1")) === "1");
        const beganMs = performance.now();
        child.kill("SIGTERM");
        const code = await Promise.race([ended, pause(15_000).then(() => "hangs")]);
        console.log(
          `# ended with a full socket on stderr in ${(performance.now() - beganMs).toFixed(0)} ms`,
        );
        assert.is(code, 0);
      } finally {
        child.kill("SIGKILL");
        await ended;
      }
    } finally {
      client.destroy();
      server.close();
    }
  }));

testWhere(test, [needRoot, needProgram("mount", "mount")], "state folder on a full disk", () =>
  withWorld({ timing: calm }, async (world) => {
    const { stateFolder } = world.host("b1");
    mkdirSync(stateFolder, { mode: 0o700 });
    const mounted = await runTool("mount", [
      "-t",
      "tmpfs",
      "-o",
      "size=256k,mode=700",
      "tmpfs",
      stateFolder,
    ]);
    assert.is(mounted.code, 0, mounted.err);
    try {
      await world.beating();
      const filler = path.join(stateFolder, "filler");
      const fill = (): void => {
        for (let bytes = 65_536; bytes >= 64; bytes >>= 1) {
          try {
            for (;;) writeFileSync(filler, Buffer.alloc(bytes), { flag: "a" });
          } catch {
            // that much has no room any more
          }
        }
      };
      fill();
      const fromMs = performance.now();
      await beatsOn(world, "b-a");
      world.lan.cut("a1", "b1");
      await world.untilRow("b1", "a", "2");
      // The journal holds whole blocks: it may take a while until it wants another one.
      for (
        let round = 0;
        round < 40 && world.events("b1", "journal", fromMs).length === 0;
        round++
      ) {
        world.lan.heal();
        await world.untilRow("b1", "a", "1");
        world.lan.cut("a1", "b1");
        await world.untilRow("b1", "a", "2");
      }
      const fault = world.events("b1", "journal", fromMs).at(-1)?.fields;
      assert.equal([fault?.["ok"], fault?.["reason"]], ["false", "ENOSPC"]);
      assert.is((await world.status("b1")).journalFault, "ENOSPC");
      const { out } = await world.verb("b1", "status");
      assert.match(out, /the journal cannot be written: ENOSPC/);

      // No takeover without a durable term: it says so, and is not active.
      await world.killHost("a1");
      await world.untilRow("b1", "a", "9", "10");
      const refused = await world.verb("b1", "takeover", "--yes");
      assert.is(refused.code, 73, refused.err);
      assert.match(refused.err, /term could not be stored/);
      assert.is.not((await world.status("b1")).role, "active");
      await beatsOn(world, "b-a");

      // Ended and begun again on the full disk: it beats, with a higher incarnation.
      const { incarnation } = slotOf(world.volume("b-a", "pvol"), 0).newest();
      await world.killHost("b1");
      await world.start("b1");
      await beatsOn(world, "b-a");
      assert.ok(slotOf(world.volume("b-a", "pvol"), 0).newest().incarnation > incarnation);

      rmSync(filler);
      await world.until("the journal is written again", async () => {
        return (await world.status("b1")).journalFault === null;
      });
      const lines = readFileSync(path.join(stateFolder, "journal.log"), "utf8").split("\n");
      const torn = lines.filter(
        (line) => line !== "" && !/^\d{4}-\d\d-\d\dT\S+Z level=\w+ ev=\w+/.test(line),
      );
      assert.equal(torn, [], "no line is torn");
    } finally {
      await world.killHost("b1");
      await runTool("umount", ["-l", stateFolder]);
    }
  }),
);

test("the run folder removed while it runs: beats on; a restart makes it anew", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    rmSync(world.host("b1").runFolder, { recursive: true });
    await beatsOn(world, "b-a");
    const { code } = await world.verb("b1", "status");
    assert.ok(code === 3 || code === 1 || code === 4, `exit ${code}`);
    assert.is(await world.stop("b1"), 0);
    await world.start("b1");
    await world.untilRow("b1", "a", "1");
  }));

test("garbage on the control socket: each is answered or cut off, and nothing else happens", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    const socket = path.join(world.host("b1").runFolder, "control.sock");
    const say = (bytes: Buffer | string): Promise<string> =>
      new Promise((resolve) => {
        let answer = "";
        const client = net.connect(socket);
        const end = (): void => {
          clearTimeout(timer);
          client.destroy();
          resolve(answer);
        };
        const timer = setTimeout(end, 3000);
        client.on("data", (data) => {
          answer += data;
          if (answer.includes("\n")) end();
        });
        client.on("error", end);
        client.on("close", end);
        client.write(bytes);
      });
    const garbage = [
      "\n", "null\n", "[]\n", "42\n", "{}\n", '{"op":"explode"}\n', '{"op":"switch"}\n',
      '{"op":"switch","on":true,"target":{"kind":"host","name":"nobody"}}\n',
      '{"op":"switch","on":"yes","target":{"kind":"network"}}\n',
      '{"op":"switch","on":false,"target":{"kind":"mirror","name":"__proto__"}}\n',
      '{"op":"takeover","force":"true"}\n', '{"op":{"status":1}}\n', '{"op":"status"',
      `${"x".repeat(200_000)}\n`, Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
      `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}\n`,
    ]; // biome-ignore format: a list
    const answers: string[] = [];
    for (const bytes of garbage) answers.push(await say(bytes));
    for (const [index, answer] of answers.entries()) {
      if (answer === "") continue;
      const parsed = JSON.parse(answer) as {
        ok?: boolean;
        code?: unknown;
        value?: { code?: number };
      };
      const code = parsed.value?.code ?? parsed.code;
      assert.ok(
        code !== undefined && code !== 0,
        `${String(garbage[index]).slice(0, 60)}: ${answer}`,
      );
    }
    const silent = Array.from({ length: 60 }, () =>
      net.connect(socket).on("error", () => undefined),
    );
    await pause(200);
    for (const client of silent) client.destroy();
    await world.until("it answers", async () => (await world.ask("b1", { op: "status" })).ok);
    assert.equal(world.alarms("b1", fromMs), []);
    assert.is((await world.status("b1")).term, "257");
    assert.equal(world.events("b1", "switch", fromMs), []);
  }));

test("a damaged memory file is refused; moved away, all is found again on the volumes", () =>
  withWorld({}, async (world) => {
    await world.beating();
    await world.killHost("b1");
    const file = path.join(world.host("b1").stateFolder, "memory.json");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.slice(0, text.length >> 1));
    const refused = await world.verb("b1", "run");
    assert.is(refused.code, 65);
    assert.match(refused.err, /damaged, so the last term is not known/);
    rmSync(file);
    const { incarnation } = slotOf(world.volume("b-a", "pvol"), 0).newest();
    await world.start("b1");
    await world.untilRow("b1", "a", "1");
    assert.ok(slotOf(world.volume("b-a", "pvol"), 0).newest().incarnation > incarnation);
  }));

test("50 kills at random moments of starting and ending: always starts, incarnations rise", () =>
  withWorld({ timing: calm, hosts: ["a1", "a2", "b1", "b2"] }, async (world) => {
    await world.beating();
    const rounds = 25;
    const victims = ["a2", "b2"] as const;
    await Promise.all(
      victims.map(async (host) => {
        const mirror = host === "a2" ? "a-b" : "b-a";
        let incarnation = 0n;
        for (let round = 0; round < rounds; round++) {
          const running = world.host(host).process;
          // Half of them are killed while they end in order, half while they begin.
          if (running?.alive && round % 2 === 0) {
            running.kill("SIGTERM");
            await pause(Math.random() * 60);
          }
          running?.kill("SIGKILL");
          await running?.ended;
          const started = world.launch(host);
          if (round % 2 === 1) await pause(Math.random() * 400);
          else {
            await world.until(`${host} begins`, () => {
              if (!started.alive)
                throw new Error(`${host}: ${started.code}: ${started.lines.join("\n")}`);
              return (
                world.events(host, "start").at(-1)?.fields["incarnation"] !== String(incarnation) &&
                world.events(host, "start").length > 0
              );
            });
          }
          const bad = started.lines.filter((line) => line.includes("mirrorbeat run:"));
          assert.equal(bad, [], "never refuses to start");
          const now = BigInt(world.events(host, "start").at(-1)?.fields["incarnation"] ?? 0);
          assert.ok(now >= incarnation, `${now} after ${incarnation}`);
          incarnation = now;
        }
        await world.killHost(host);
        await world.start(host);
        const before = incarnation;
        await world.until(
          "it beats",
          () => slotOf(world.volume(mirror, "pvol"), 1).newest().incarnation > before,
        );
      }),
    );
    for (const host of victims) {
      const all = world.events(host, "start").map((e) => BigInt(e.fields["incarnation"] ?? 0));
      assert.ok(
        all.every((each, index) => index === 0 || each > (all[index - 1] ?? 0n)),
        String(all),
      );
      assert.is((await world.status(host)).term, "257");
      const left = readdirSync(world.host(host).stateFolder).filter((name) => name.includes("tmp"));
      assert.ok(left.length <= 2, `leavings: ${left}`);
    }
    await world.untilRow("b1", "a", "1");
    await world.untilRow("a1", "b", "1");
    assert.ok(existsSync(world.folder));
  }));

test.run();
