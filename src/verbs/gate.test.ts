// test-limit-seconds: 120
/** `gate`: its lines and exit codes, with agents that answer well, badly, late and not at all. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { controlSocketName } from "../agent/names.ts";
import type { JsonObject } from "../host/json-lines.ts";
import { serveUnix } from "../host/unix-server.ts";
import { withWorld } from "../testing/agent-world.ts";
import { runVerb } from "../testing/verb-run.ts";
import { gateVerb } from "./gate.ts";

const open = {
  schema: 1, open: true, code: 0, reason: "site tokyo active in term 257 (granted 0.4 s ago)",
  opens: "", role: "active", term: "257", owner: "tokyo",
} as const; // biome-ignore format: an answer
const closed = {
  schema: 1, open: false, code: 75,
  reason: "term 514 belongs to osaka, which is active; this site joins as standby",
  opens: "a takeover at this site: mirrorbeat takeover", role: "standby", term: "514", owner: "osaka",
} as const; // biome-ignore format: an answer
const unknown = {
  ...closed, code: 4, reason: "own volumes cannot be read", opens: "mend them", role: "starting",
} as const; // biome-ignore format: an answer

const configText = (folder: string): string => `cluster = "bank"
host = "t1"
key_file = "${folder}/authkey"
run_folder = "${folder}/run"
state_folder = "${folder}/state"
[[sites]]
name = "tokyo"
id = 1
role = "production"
[[sites.hosts]]
name = "t1"
slot = 0
address = "127.0.0.1:17789"
[[sites]]
name = "osaka"
id = 2
role = "standby"
[[sites.hosts]]
name = "o1"
slot = 0
address = "127.0.0.1:17790"
`;

type Answers = (request: JsonObject, count: number) => unknown;

class Stage {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-gate-"));
  readonly file = path.join(this.folder, "mirrorbeat.toml");
  readonly asked: JsonObject[] = [];
  private closes: (() => Promise<void>)[] = [];

  constructor() {
    mkdirSync(path.join(this.folder, "run"), { mode: 0o700 });
    writeFileSync(this.file, configText(this.folder));
  }

  /** An agent in this process. */
  async agent(answers: Answers): Promise<void> {
    const served = await serveUnix({
      path: path.join(this.folder, "run", controlSocketName),
      handler: async (request) => {
        this.asked.push(request);
        return { ok: true, value: await answers(request, this.asked.length) };
      },
      handlerMs: 60_000,
    });
    if (!served.ok) throw new Error(served.message);
    this.closes.push(() => served.server.close(0));
  }

  gate(...args: readonly string[]) {
    return runVerb(gateVerb, [...args, "--config", this.file]);
  }

  async end(): Promise<void> {
    for (const close of this.closes) await close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function staged(name: string, body: (stage: Stage) => Promise<void>): void {
  test(name, async () => {
    const stage = new Stage();
    try {
      await body(stage);
    } finally {
      await stage.end();
    }
  });
}

staged("open, closed, not known: one line, what opens it, and the code", async (stage) => {
  let now: unknown = open;
  await stage.agent(() => now);
  assert.equal(await stage.gate(), {
    code: 0,
    out: "gate OPEN  site tokyo active in term 257 (granted 0.4 s ago)\n",
    err: "",
  });
  now = closed;
  assert.equal(await stage.gate(), {
    code: 75,
    out:
      "gate CLOSED  term 514 belongs to osaka, which is active; this site joins as standby\n" +
      "opens: a takeover at this site: mirrorbeat takeover\n",
    err: "",
  });
  assert.equal(JSON.parse((await stage.gate("--json")).out), closed);
  assert.equal(await stage.gate("--quiet"), { code: 75, out: "", err: "" });
  assert.equal(await stage.gate("-q", "--json"), { code: 75, out: "", err: "" });
  now = unknown;
  const { code, out } = await stage.gate();
  assert.is(code, 4);
  assert.match(out, /^gate UNKNOWN {2}own volumes cannot be read\nopens: mend them\n$/);
  assert.equal(stage.asked, new Array(6).fill({ op: "gate" }));
});

staged("an answer that is not understood, or contradicts itself, opens nothing", async (stage) => {
  let now: unknown = null;
  await stage.agent(() => now);
  const { reason: _reason, ...noReason } = open;
  for (const strange of [
    null,
    {},
    [],
    "open",
    0,
    { code: 64, message: "not a request that this agent knows" },
    { ...open, schema: 2 },
    { ...open, code: 75 },
    { ...closed, code: 0 },
    { ...closed, open: true },
    { ...closed, code: 107 },
    { ...open, open: "true" },
    { ...open, role: null },
    noReason,
    { ...open, reason: "" },
  ]) {
    // biome-ignore format: a list
    now = strange;
    const { code, out } = await stage.gate();
    assert.is(code, 4, JSON.stringify(strange));
    assert.match(out, /^gate UNKNOWN {2}the agent's answer is not understood\nopens: restart it/);
  }
  now = { ...closed, reason: "two\nlines\u001b[2J", opens: "\u00e9" };
  assert.is((await stage.gate()).out, "gate CLOSED  two lines [2J\n", "one line, printable");
});

staged("no agent: closed, and the remedy; a hung one: not known, in time", async (stage) => {
  const none = await stage.gate();
  assert.is(none.code, 75);
  assert.match(
    none.out,
    /^gate CLOSED {2}no agent runs here.*\nopens: start it: mirrorbeat run\n$/,
  );
  const { code, role, open: isOpen } = JSON.parse((await stage.gate("--json")).out);
  assert.equal([code, role, isOpen], [75, "", false]);
  await stage.agent(() => new Promise(() => undefined));
  const beganMs = performance.now();
  const hung = await stage.gate();
  assert.is(hung.code, 4);
  assert.ok(performance.now() - beganMs < 5000);
  assert.match(hung.out, /^gate UNKNOWN {2}.*does not answer within 3000 ms\n/);
});

staged("--wait: asks until it is open, prints once", async (stage) => {
  await stage.agent((_, count) => (count < 3 ? closed : open));
  const beganMs = performance.now();
  const waited = await stage.gate("--wait", "30");
  assert.is(waited.code, 0);
  assert.is(waited.out.split("\n").length, 2);
  assert.is(stage.asked.length, 3);
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs >= 1900 && tookMs < 10_000, `${tookMs} ms`);
});

staged("--wait: ends when it is over; an agent that comes meanwhile is asked", async (stage) => {
  const early = stage.gate("--wait", "20");
  const beganMs = performance.now();
  const late = await stage.gate("--wait", "1");
  assert.is(late.code, 75);
  assert.is(late.out.match(/^gate/gm)?.length, 1);
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs >= 1000 && tookMs < 6000, `${tookMs} ms`);
  await stage.agent(() => open);
  assert.is((await early).code, 0);
});

staged(
  "--peer-is-off: the risk without --yes; with it, a takeover with that word",
  async (stage) => {
    let takes: unknown = { code: 0, message: "active in term 257" };
    let now: unknown = closed;
    await stage.agent((request) => {
      if (request["op"] !== "takeover") return now;
      if ((takes as { code: number }).code === 0) now = open;
      return takes;
    });
    const shown = await stage.gate("--peer-is-off", "osaka");
    assert.is(shown.code, 64);
    assert.match(shown.out, /^NOTHING DONE/);
    assert.match(shown.out, /RISK: if any host of osaka still runs its service/);
    assert.match(shown.out, /next: mirrorbeat gate --peer-is-off osaka --yes\n$/);
    assert.ok(shown.out.split("\n").every((line) => /^[\x20-\x7e]{0,80}$/.test(line)));
    assert.is(JSON.parse((await stage.gate("--peer-is-off", "osaka", "--json")).out).code, 64);
    assert.equal(stage.asked, [], "nothing was asked of the agent");

    takes = { code: 107, message: "o1 still beats on some path" };
    const refused = await stage.gate("--peer-is-off", "osaka", "--yes");
    assert.is(refused.code, 75);
    assert.match(refused.out, /^gate CLOSED {2}the takeover was not done \(107\): o1 still beats/);
    takes = "nonsense";
    assert.is((await stage.gate("--peer-is-off", "osaka", "--yes")).code, 4);
    takes = { code: 0, message: "active in term 257" };
    stage.asked.length = 0;
    const done = await stage.gate("--peer-is-off", "osaka", "--yes");
    assert.is(done.code, 0, done.out);
    assert.match(done.out, /^gate OPEN/);
    assert.equal(stage.asked, [
      { op: "takeover", force: false, peerIsOff: "osaka" },
      { op: "gate" },
    ]);
  },
);

staged("a wrong command line is 64 and one line; a wrong configuration 78", async (stage) => {
  await stage.agent(() => open);
  for (const [args, wanted] of [
    [["more"], /unexpected 'more'/],
    [["--nonsense"], /nonsense/],
    [["--wait"], /wait/],
    [["--wait", "soon"], /--wait soon: say seconds, 0 to 86400/],
    [["--wait", "-1"], /wait/],
    [["--wait", "86401"], /say seconds/],
    [["--yes"], /--yes goes with --peer-is-off SITE/],
    [["--wait", "5", "--peer-is-off", "osaka"], /do not go together/],
    [["--peer-is-off", "kyoto", "--yes"], /no such site; there are: osaka/],
    [["--peer-is-off", "tokyo", "--yes"], /that is this site; say: osaka/],
  ] as const) {
    const { code, out, err } = await stage.gate(...args);
    assert.is(code, 64, args.join(" "));
    assert.match(err, wanted);
    assert.is(err.split("\n").length, 2, err);
    assert.is(out, "");
  }
  assert.equal(stage.asked, []);
  writeFileSync(stage.file, "cluster = 5\n");
  assert.is((await stage.gate()).code, 78);
  rmSync(stage.file);
  assert.is((await stage.gate()).code, 66);
  assert.is((await stage.gate("--help")).code, 0);
});

test("without an agent the volumes tell of a higher term of another site, and are only read", () =>
  withWorld({}, async (world) => {
    const fresh = await world.verb("a1", "gate");
    assert.is(fresh.code, 75, fresh.err);
    assert.match(fresh.out, /^gate CLOSED {2}no agent runs here, and nothing else can open it\n/);
    await world.beating();
    await world.untilRole("b1", "standby");
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
    const taken = await world.verb("b1", "takeover", "--yes");
    assert.is(taken.code, 0, taken.err);
    await world.until("its term is on a1's copy", async () =>
      (await world.verb("a1", "gate")).out.includes("term 514 belongs to site b"),
    );
    await world.killHost("b1");
    const volumes = () => ["a-b", "b-a"].flatMap((name) => [
      readFileSync(world.volume(name, "pvol")), readFileSync(world.volume(name, "svol")),
    ]); // biome-ignore format: a list
    const before = volumes();
    const { code, out } = await world.verb("a1", "gate", "--json");
    assert.is(code, 75);
    const told = JSON.parse(out) as Record<string, unknown>;
    assert.equal([told["open"], told["term"], told["owner"]], [false, "514", "b"]);
    assert.match(String(told["reason"]), /term 514 belongs to site b \(host b1 wrote it on .*b-a/);
    const own = await world.verb("b1", "gate");
    assert.is(own.code, 75, "the owner's volumes open nothing either");
    assert.match(own.out, /nothing else can open it/);
    volumes().forEach((bytes, index) => assert.ok(bytes.equals(before[index] ?? bytes)));
  }));

test.run();
