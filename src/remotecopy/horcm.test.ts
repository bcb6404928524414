/** The provider on the stand-in, in this process: verbs, their exact lines, faults and traps. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { EndSettings, PairVerb } from "../core/base/pair-settings.ts";
import { changePair } from "./change.ts";
import type { MirrorEnd } from "./evidence.ts";
import { HorcmProvider, horcmProvider, type Run } from "./horcm.ts";
import * as arrays from "./horcm/testing/arrays.ts";
import { perform as command } from "./horcm/testing/commands.ts";
import { damaged, seededRandom } from "./horcm/testing/damage.ts";
import { endsOn, openEnds, runOn } from "./horcm/testing/ends.ts";
import type { Change, PairAnswer } from "./provider.ts";

type Known = Extract<PairAnswer, { ok: true }>;

function bench(devices: readonly string[] = ["hb_a"], settings: EndSettings = {}) {
  const state = arrays.freshArrays("HBA", devices);
  const ends = endsOn(state, settings);
  const known = async (end: MirrorEnd, scope: "local" | "both" = "local"): Promise<Known> => {
    const answer = await ends[end].provider.query(scope, 1000);
    if (!answer.ok) throw new Error(answer.message);
    return answer;
  };
  let clockMs = 0;
  const change = (end: MirrorEnd, verb: PairVerb, force = false) =>
    changePair(ends[end].provider, verb, {
      expected: ends[end].expected,
      force,
      dryRun: false,
      queryLimitMs: 1000,
      changeLimitMs: 1000,
      nowMs: () => clockMs,
      pause: (ms) => Promise.resolve(void (clockMs += ms)),
    });
  const all = (p: string, s: string, primary: MirrorEnd = "writer") => {
    for (const volume of state.volumes) arrays.setPair(volume, primary, p, s);
  };
  const commands = () => state.log.splice(0).filter((line) => !/^pair(display|volchk)/.test(line));
  return { state, ends, known, change, all, commands };
}

test("local: the exact command, an empty environment, never a wait for the other site", async () => {
  const { state, all } = bench();
  all("PAIR", "PAIR");
  const seen: string[] = [];
  const run = runOn(state, (line, env) => seen.push(`${line.join(" ")} ${JSON.stringify(env)}`));
  const ends = endsOn(state, { device: "hb_a" }, run);
  state.instances.reader = "down";
  const answer = await ends.writer.provider.query("local", 1000);
  assert.ok(answer.ok && answer.local.state === "paired");
  assert.equal(seen, ['/stand-in/pairdisplay -g HBA -d hb_a -IH10 -l -fcx -CLI {"LC_ALL":"C"}']);
});

test("trap: pairdisplay without -l hangs while the remote site is down", async () => {
  const { state, all, ends } = bench();
  all("PAIR", "PAIR");
  state.instances.reader = "down";
  const answer = await ends.writer.provider.query("both", 1000);
  assert.ok(answer.ok);
  assert.is(answer.ok && answer.local.state, "paired");
  assert.is(answer.ok && answer.remote, null);
  assert.is(answer.ok && answer.remoteFault?.class, "timeout");
  state.instances.reader = "dead";
  const dead = await ends.writer.provider.query("both", 1000);
  assert.is(dead.ok && dead.remoteFault?.class, "peer-unreachable");
});

test("trap: HORCC_MRCF would show SMPL, and HORCMINST another instance", async () => {
  const { state, all, ends } = bench();
  all("PAIR", "PAIR");
  const spoiled = command(state, "pairdisplay", ["-g", "HBA", "-IH10", "-l", "-fcx", "-CLI"], {
    HORCC_MRCF: "1",
  });
  assert.match(spoiled.kind === "ends" ? spoiled.out : "", "SMPL");
  process.env["HORCC_MRCF"] = "1";
  process.env["HORCMINST"] = "99";
  const answer = await ends.writer.provider.query("local", 1000);
  delete process.env["HORCC_MRCF"];
  delete process.env["HORCMINST"];
  assert.ok(answer.ok && answer.local.state === "paired");
});

test("trap: the group's status hides a split volume; judged by itself it does not", async () => {
  const { state, all, ends } = bench(["hb_a", "hb_b"]);
  all("PAIR", "PAIR");
  const [, second] = state.volumes;
  if (second) arrays.setPair(second, "writer", "PSUS", "SSUS");
  const check = command(state, "pairvolchk", ["-g", "HBA", "-IH10", "-ss"], {});
  assert.is(check.kind === "ends" && check.code, 23, "it says PVOL_PAIR");
  const answer = await ends.writer.provider.query("local", 1000);
  assert.is(answer.ok ? "ok" : answer.class, "mixed-group");
});

test("identity: own and partner's serial and LDEV, of the local row", async () => {
  const { all, ends } = bench(["hb_a", "hb_b"]);
  const identityAt = async (end: MirrorEnd) => {
    const answer = await ends[end].provider.identify(1000);
    return answer.ok ? answer.identity : null;
  };
  const own = "411001/1a01,411001/1a02";
  assert.equal(await identityAt("writer"), { own, peer: null }, "simplex");
  all("PAIR", "PAIR");
  assert.equal(await identityAt("writer"), { own, peer: "422002/2b01,422002/2b02" });
  const peer = (await identityAt("reader"))?.peer;
  assert.is(peer, null, "an S-VOL's end is not told its partner's serial");
});

test("another volume than configured is no answer to a query", async () => {
  const { state, all } = bench();
  all("PAIR", "PAIR");
  const { writer } = endsOn(state, { identity: "411001/1a02" });
  const answer = await writer.provider.query("local", 1000);
  assert.is(answer.ok ? "ok" : answer.class, "identity");
});

test("life: create, split, resync, swap and back, remove; exactly these commands", async () => {
  const { known, change, commands } = bench();
  assert.is((await change("writer", "create")).kind, "in-progress");
  await known("writer");
  assert.is((await known("writer")).local.state, "paired");
  assert.equal(commands(), ["paircreate -g HBA -IH10 -f never -vl"]);
  assert.is((await change("writer", "split")).kind, "done");
  assert.is((await change("writer", "resync")).kind, "in-progress");
  await known("writer");
  assert.equal(commands(), ["pairsplit -g HBA -IH10 -r", "pairresync -g HBA -IH10"]);
  await known("writer");
  assert.is((await change("reader", "swap")).kind, "in-progress");
  await known("reader");
  const { local, remote } = await known("reader", "both");
  assert.is(`${local.state} ${local.role} ${remote?.role}`, "paired primary secondary");
  assert.equal(commands(), ["pairsplit -g HBA -IH11 -RS", "pairresync -g HBA -IH11 -swaps"]);
  assert.is((await change("writer", "swap")).kind, "in-progress");
  assert.is((await change("writer", "remove")).kind, "done");
  assert.is((await known("reader")).local.state, "simplex");
});

test("create at the reader's end makes the other one primary; journals for asynchronous", async () => {
  const settings = { fence: "async", journal: "4:5", wait_limit_s: 20 };
  const { known, change, commands } = bench(["hb_a"], settings);
  assert.is((await change("reader", "create")).kind, "done");
  assert.equal(commands(), [
    "paircreate -g HBA -IH11 -f async -vr -jp 4 -js 5",
    "pairevtwait -g HBA -IH11 -s pair -t 20",
  ]);
  const { local, remote } = await known("reader", "both");
  assert.is(`${local.role} ${local.inSync} ${remote?.role}`, "secondary null primary");
});

test("settings that cannot be: nothing is sent", async () => {
  for (const settings of [
    { journal: "4" },
    { fence: "async", journal: "4:x" },
    { journal: "4:4" },
  ]) {
    const { change, commands } = bench(["hb_a"], settings);
    const outcome = await change("writer", "create");
    assert.is(`${outcome.kind} ${outcome.class}`, "refused config");
    assert.equal(commands(), []);
  }
});

test("takeover: -S alone when synchronous, -t for what is asynchronous, never horctakeover's choice", async () => {
  for (const [fence, line] of [
    ["NEVER", "horctakeover -g HBA -IH11 -S"],
    ["ASYNC", "horctakeover -g HBA -IH11 -S -t 30"],
  ] as const) {
    const { state, all, change, known, commands } = bench();
    state.fence = fence;
    all("PAIR", "PAIR");
    arrays.cutLink(state);
    state.instances.writer = "down";
    const outcome = await change("reader", "takeover");
    assert.is(outcome.kind, "done", outcome.message);
    assert.equal(commands(), [line]);
    assert.is((await known("reader")).local.state, "takeover");
  }
});

test("trap: horctakeover exits 225 although the S-VOL is SSWS: done", async () => {
  const { state, all, change, ends } = bench();
  all("PAIR", "PAIR");
  arrays.cutLink(state);
  const raw = command(structuredClone(state), "horctakeover", ["-g", "HBA", "-IH11", "-S"], {});
  assert.is(raw.kind === "ends" && raw.code, 225);
  const before = await ends.reader.provider.query("both", 1000);
  assert.ok(before.ok);
  const outcome = await change("reader", "takeover");
  assert.is(outcome.kind, "done", outcome.message);
  assert.match(outcome.message, "S-VOL SSWS");
});

test("trap: -ss shows SSWS as SVOL_PSUS; the state is read from pairdisplay", async () => {
  const { state, all, known } = bench();
  all("PSUS", "SSWS");
  const check = command(state, "pairvolchk", ["-g", "HBA", "-IH11", "-ss"], {});
  assert.is(check.kind === "ends" && check.code, 34);
  assert.is((await known("reader")).local.state, "takeover");
  assert.match((await known("writer", "both")).local.cause, "took over");
});

test("trap: the link dies, and S-VOL PAIR remains; PSUE at its end only after its time-out", async () => {
  const { state, all, known, change } = bench();
  all("PAIR", "PAIR");
  arrays.cutLink(state);
  assert.is((await known("writer")).local.state, "paired", "nothing was written yet");
  assert.is((await known("reader")).local.inSync, null, "it cannot know");
  assert.ok(arrays.write(state), "fence NEVER: the write succeeds");
  assert.is((await known("writer")).local.state, "suspended-by-error");
  assert.is((await known("reader")).local.state, "paired", "its own array has not noticed");
  const both = await known("reader", "both");
  assert.is(both.local.state, "suspended-by-error", "the P-VOL's status is the pair's");
  assert.is((await change("reader", "takeover")).kind, "refused", "what was written is not there");
  arrays.advance(state, arrays.secondaryNoticesMs - 1);
  assert.is((await known("reader")).local.state, "paired");
  arrays.advance(state, 1);
  assert.is((await known("reader")).local.state, "suspended-by-error");
});

test("asynchronous: PFUL still copies, PFUS is suspended; the S-VOL does not know", async () => {
  const { state, all, known } = bench();
  state.fence = "ASYNC";
  all("PAIR", "PAIR");
  arrays.cutLink(state);
  for (let round = 0; round < 3; round++) arrays.write(state);
  const full = (await known("writer")).local;
  assert.is(`${full.state} ${full.inSync}`, "paired false");
  arrays.write(state);
  const { local } = await known("writer");
  assert.is(`${local.state} ${local.native}`, "suspended-by-error P-VOL PFUS ASYNC");
  assert.match(local.cause, "journal is full");
});

test("resync of what was taken over is refused, at both ends; a swap is the way", async () => {
  const { all, change, ends, known, commands } = bench();
  all("PSUS", "SSWS");
  assert.is((await change("writer", "resync")).kind, "refused");
  const before = await known("reader", "both");
  const perform = (verb: PairVerb) =>
    ends.reader.provider.perform({ verb, before, force: false }, 1000);
  const refused = await perform("resync");
  assert.ok(refused.kind === "not-begun" && /swap there/.test(refused.fault.message));
  assert.equal(commands(), []);
  assert.is((await perform("swap")).kind, "ended");
  assert.equal(commands(), ["pairresync -g HBA -IH11 -swaps"]);
  await known("reader");
  assert.is((await known("reader")).local.role, "primary");
});

test("the way back from a takeover: `swap` by force, at the S-VOL's end, once the other is split", async () => {
  const { all, change, known, commands } = bench();
  all("PSUS", "SSWS");
  assert.match((await change("reader", "resync")).message, "pair swap --force");
  const unforced = await change("reader", "swap");
  assert.match(unforced.message, /taken over.*--force/);
  assert.equal(commands(), []);
  assert.is((await change("reader", "swap", true)).kind, "in-progress");
  assert.equal(commands(), ["pairresync -g HBA -IH11 -swaps"]);
  await known("reader");
  const { local } = await known("reader");
  assert.is(`${local.state} ${local.role}`, "paired primary");
  all("PAIR", "SSWS");
  assert.is((await change("reader", "swap", true)).kind, "refused", "the other end still copies");
  assert.equal(commands(), []);
});

test("a swap cut off half-way: the second half is sent only to an S-VOL that is SSWS", async () => {
  const { state, all, ends, known, commands } = bench();
  all("PAIR", "PAIR");
  const before = await known("reader", "both");
  const change: Change = { verb: "swap", before, force: false };
  state.faults.reader.next = "lies";
  const lied = await ends.reader.provider.perform(change, 1000);
  assert.match(lied.kind === "ended" ? lied.detail : "", "not sent: it is S-VOL PAIR");
  assert.equal(commands(), ["pairsplit -g HBA -IH11 -RS"]);
  state.faults.reader.next = "killed";
  const killed = await ends.reader.provider.perform(change, 1000);
  assert.is(killed.kind, "cut-short");
  assert.is((await known("reader")).local.state, "takeover");
  assert.equal(commands(), ["pairsplit -g HBA -IH11 -RS"]);
});

test("the link dies in the middle of a swap: taken over, both ends keep what they have", async () => {
  const { state, all } = bench();
  all("PAIR", "PAIR");
  const plain = runOn(state);
  const run: Run = (line, options) => {
    if (line.includes("-swaps")) arrays.cutLink(state);
    return plain(line, options);
  };
  const { reader } = endsOn(state, {}, run);
  const before = await reader.provider.query("both", 1000);
  assert.ok(before.ok);
  if (!before.ok) return;
  const performed = await reader.provider.perform({ verb: "swap", before, force: false }, 1000);
  assert.match(performed.kind === "ended" ? performed.detail : "", "EX_CMDRJE");
  const after = await reader.provider.query("local", 1000);
  assert.is(after.ok && after.local.state, "takeover");
});

test("a swap is refused at the primary, and where the other end is not seen to be paired", async () => {
  const { state, all, change, commands } = bench();
  all("PAIR", "PAIR");
  const atPrimary = await change("writer", "swap");
  assert.match(atPrimary.message, "at the end that is the secondary");
  state.instances.writer = "dead";
  assert.is((await change("reader", "swap")).kind, "refused");
  assert.equal(commands(), []);
});

test("remove: -R only at the S-VOL's end, by force, while the other end does not answer", async () => {
  const { state, all, change, commands } = bench();
  all("PAIR", "PAIR");
  state.instances.writer = "down";
  const refused = await change("reader", "remove");
  assert.is(`${refused.kind} ${refused.class}`, "refused peer-unreachable");
  assert.match(refused.message, "--force");
  assert.equal(commands(), []);
  assert.is((await change("reader", "remove", true)).kind, "done");
  assert.equal(commands(), ["pairsplit -g HBA -IH11 -R"]);
  state.instances.writer = "up";
  assert.is((await change("writer", "remove", true)).kind, "done");
  assert.equal(commands(), ["pairsplit -g HBA -IH10 -S"]);
});

/** The stand-in, but for one program that answers as it is told. */
const withProgram =
  (run: Run, program: string, end: { readonly code: number; readonly stdout: string }): Run =>
  (line, options) =>
    line[0]?.endsWith(program)
      ? Promise.resolve({ kind: "exited", stderr: "", truncated: false, ...end })
      : run(line, options);

test("pairvolchk contradicts: nothing is sent; unanswered it stops a swap only; force goes on", async () => {
  const { state, all, commands, known } = bench();
  all("PAIR", "PAIR");
  const before = await known("reader", "both");
  const at = (code: number, stdout: string, verb: PairVerb, force = false) => {
    const run = withProgram(runOn(state), "pairvolchk", { code, stdout });
    const { provider } = endsOn(state, {}, run).reader;
    return provider.perform({ verb, before, force }, 1000);
  };
  const line = "pairvolchk : Volstat is S-VOL.[status = PSUS fence = NEVER ]\n";
  const contradicted = await at(34, line, "takeover");
  assert.match(contradicted.kind === "not-begun" ? contradicted.fault.message : "", "S-VOL PSUS");
  assert.is((await at(251, "", "swap")).kind, "not-begun");
  assert.is((await at(34, line, "swap", true)).kind, "not-begun", "no force for a swap");
  assert.equal(commands(), []);
  const unanswered = await at(251, "", "takeover");
  assert.match(unanswered.kind === "ended" ? unanswered.detail : "", "cannot tell");
  all("PAIR", "PAIR");
  assert.is((await at(34, line, "takeover", true)).kind, "ended", "by force");
});

test("the state changed since it was looked at: nothing is sent", async () => {
  const { all, ends, known, commands } = bench();
  all("PAIR", "PAIR");
  const before = await known("reader", "both");
  all("COPY", "COPY");
  const { provider } = ends.reader;
  const performed = await provider.perform({ verb: "takeover", before, force: true }, 1000);
  assert.match(performed.kind === "not-begun" ? performed.fault.message : "", "meanwhile");
  assert.equal(commands(), []);
});

test("every exit code of pairdisplay is a fault, whatever was printed", async () => {
  const { state, all } = bench();
  all("PAIR", "PAIR");
  const good = command(state, "pairdisplay", ["-g", "HBA", "-IH10", "-l", "-fcx", "-CLI"], {});
  const stdout = good.kind === "ends" ? good.out : "";
  for (let code = 1; code < 256; code++) {
    const run = withProgram(runOn(state), "pairdisplay", { code, stdout });
    const answer = await endsOn(state, {}, run).writer.provider.query("local", 1000);
    assert.not(answer.ok, `exit code ${code}`);
  }
});

test("faults of an instance: each has its class", async () => {
  const { state, all, ends } = bench();
  all("PAIR", "PAIR");
  const classNow = async (): Promise<string> => {
    const answer = await ends.writer.provider.query("local", 1000);
    return answer.ok ? "ok" : answer.class;
  };
  for (const [answers, wanted] of [
    ["never", "timeout"],
    ["garbage", "unparseable"],
    ["half", "unparseable"],
  ] as const) {
    state.faults.writer.answers = answers;
    assert.is(await classNow(), wanted, answers);
  }
  state.faults.writer.answers = "well";
  state.instances.writer = "dead";
  assert.is(await classNow(), "daemon-down");
  state.instances.writer = "up";
  state.group = "HBB";
  assert.is(await classNow(), "config");
});

test("no commands in the folder: daemon-down, and a change is not begun", async () => {
  const { writer } = openEnds("/nowhere/bin", {}, horcmProvider);
  const answer = await writer.provider.query("local", 2000);
  assert.is(answer.ok ? "ok" : answer.class, "daemon-down");
  const { known, all } = bench();
  all("PAIR", "PAIR");
  const before = await known("writer");
  const performed = await writer.provider.perform({ verb: "split", before, force: false }, 2000);
  assert.is(performed.kind === "not-begun" && performed.fault.class, "daemon-down");
});

test("a global-active device is asked for its I/O mode, and its S-VOL is writable", async () => {
  const { state, all } = bench();
  state.globalActive = true;
  all("PAIR", "PAIR");
  const { reader } = endsOn(state, { global_active: true });
  const answer = await reader.provider.query("local", 1000);
  assert.is(answer.ok && answer.local.writable, true);
  assert.match(state.log.at(-1) ?? "", "-l -fcxe -CLI");
  const plain = await endsOn(state).reader.provider.query("local", 1000);
  assert.is(plain.ok && plain.local.writable, false, "without the mode it is not said to be");
});

test("what waits is given less time than the change has, so that it is not killed", async () => {
  const settings = { fence: "async", wait_limit_s: 600, takeover_limit_s: 600 };
  const { known, change, commands } = bench(["hb_a"], { ...settings, change_limit_ms: 30_000 });
  assert.is((await change("writer", "create")).kind, "done");
  await known("reader");
  assert.is((await change("reader", "takeover")).kind, "done");
  const sent = commands();
  assert.match(sent[1] ?? "", "pairevtwait -g HBA -IH10 -s pair -t 25");
  assert.match(sent[2] ?? "", "horctakeover -g HBA -IH11 -S -t 25");
});

test("10,000 damaged answers about both ends of a broken pair: neither end becomes paired", async () => {
  const { state, all } = bench(["hb_a", "hb_b"]);
  all("PSUE", "PAIR");
  const good = (side: readonly string[]): string => {
    const args = ["-g", "HBA", "-IH10", ...side, "-fcx", "-CLI"];
    const answer = command(state, "pairdisplay", args, {});
    return answer.kind === "ends" ? answer.out : "";
  };
  const [near, both] = [good(["-l"]), good([])];
  const random = seededRandom(7);
  let understood = 0;
  const run: Run = (line) => {
    const stdout = line.includes("-l") ? near : damaged(both, random);
    return Promise.resolve({ kind: "exited", code: 0, stdout, stderr: "", truncated: false });
  };
  const { writer } = endsOn(state, {}, run);
  for (let round = 0; round < 10_000; round++) {
    const answer = await writer.provider.query("both", 1000);
    assert.ok(answer.ok, "this end's own answer is undamaged");
    if (!answer.ok) continue;
    assert.is(answer.local.state, "suspended-by-error");
    assert.is.not(answer.remote?.state, "paired");
    assert.is(answer.remote === null, answer.remoteFault !== null, "one of both");
    if (answer.remote) understood++;
  }
  assert.ok(understood > 50 && understood < 5000, `${understood} were still whole`);
});

test("too much output, rows of the other end, a death by signal: no state", async () => {
  const { state, all, ends } = bench();
  all("PAIR", "PAIR");
  const stdout = (side: string) =>
    "Group PairVol L/R Port# TID LU Seq# LDEV# P/S Status Fence % P-LDEV# M\n" +
    `HBA hb_a ${side} CL1-A-1 0 7 411001 1a01 P-VOL PAIR NEVER 100 2b01 -\n`;
  const ask = async (run: Run) => {
    const answer = await endsOn(state, {}, run).writer.provider.query("local", 1000);
    return answer.ok ? answer.local.state : answer.class;
  };
  const exited = { kind: "exited", code: 0, stderr: "", truncated: false } as const;
  assert.is(await ask(() => Promise.resolve({ ...exited, stdout: stdout("L") })), "paired");
  assert.is(await ask(() => Promise.resolve({ ...exited, stdout: stdout("R") })), "unparseable");
  const long = { ...exited, stdout: stdout("L"), truncated: true };
  assert.is(await ask(() => Promise.resolve(long)), "unparseable");
  const died = { kind: "killed", signal: "SIGSEGV", stderr: "" } as const;
  assert.is(await ask(() => Promise.resolve(died)), "daemon-down");
  assert.ok(ends.writer.provider instanceof HorcmProvider);
});

test.run();
