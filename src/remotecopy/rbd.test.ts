/** The provider against a stand-in for two clusters: changes, what is refused, what goes wrong. */
// test-limit-seconds: 240
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PairVerb } from "../core/base/pair-settings.ts";
import { realClock } from "../host/clock.ts";
import { changePair, type Outcome } from "./change.ts";
import type { OpenPair } from "./open-provider.ts";
import { StandIn, type StandInState } from "./rbd/testing/bench.ts";

const standIn = new StandIn();
const [writer, reader] = [standIn.open("writer"), standIn.open("reader")];

const change = (
  { provider, expected, queryLimitMs, changeLimitMs }: OpenPair,
  verb: PairVerb,
  wish: { force?: boolean; dryRun?: boolean; changeLimitMs?: number } = {},
): Promise<Outcome> =>
  changePair(provider, verb, {
    expected,
    queryLimitMs,
    changeLimitMs,
    force: false,
    dryRun: false,
    nowMs: realClock.nowMs,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    ...wish,
  });

/** Both ends of a pair that is in sync: `primary` names the cluster. */
const paired = (primary: "west" | "east") => (state: StandInState) => {
  state["globalId"] = "g1";
  for (const [name, site] of Object.entries(state.sites)) {
    const id = name === "west" ? "a1" : "b1";
    Object.assign(site, { exists: true, id, mirrored: true, syncedAtMs: 0 });
    site["primary"] = name === primary;
  }
};

test.before.each(() => {
  standIn.reset();
  standIn.edit(paired("west"));
});
test.after(() => standIn.end());

const shown = (outcome: Outcome): string =>
  `${outcome.kind} ${outcome.class ?? ""} ${outcome.message}`;
/** The words after the program's own. */
const words = (outcome: Outcome): readonly string[] =>
  outcome.commands.map((command) => command.slice(command.indexOf("--cluster")));

test("an answer is as old as the words it rests on, whatever this machine's zone", async () => {
  const beganMs = realClock.nowMs();
  const answer = await writer.provider.query("both", 3000);
  assert.ok(answer.ok && answer.local.state === "paired", JSON.stringify(answer));
  const ageMs = beganMs - answer.observedMs;
  assert.ok(ageMs > 0 && ageMs < 60_000, `${ageMs}`);
  assert.is(answer.remote?.role, "secondary");
});

test("takeover: by force while the other end is primary, plainly once it was demoted", async () => {
  const dry = await change(reader, "takeover", { dryRun: true });
  assert.equal(words(dry), ["--cluster east mirror image promote pool/hba --force"]);
  standIn.edit((state) => {
    Object.assign(state.sites["west"] ?? {}, { primary: false });
  });
  const refused = await change(reader, "takeover");
  assert.is(refused.class, "wrong-state", shown(refused));
  const taken = await change(reader, "takeover", { force: true });
  assert.is(taken.kind, "done", shown(taken));
  assert.equal(words(taken), ["--cluster east mirror image promote pool/hba"]);
  const after = await reader.provider.query("local", 3000);
  assert.ok(after.ok && after.local.state === "paired" && after.local.role === "primary");
});

test("killed or failed after its effect: done; success without one: refused", async () => {
  for (const [name, kind] of [["killed", "done"], ["fails", "done"], ["lies", "refused"]] as const) {
    standIn.reset();
    standIn.edit(paired("west"));
    const undo = await standIn.switched(name)();
    const outcome = await change(reader, "takeover");
    assert.is(outcome.kind, kind, `${name}: ${shown(outcome)}`);
    if (kind === "refused") assert.is(outcome.class, "array-rejected");
    await undo();
  } // biome-ignore format: a table
});

test("another cluster under this name: refused by its id", async () => {
  standIn.edit((state) => {
    Object.assign(state.sites["east"] ?? {}, { fsid: "00000000-0000-4000-8000-0000000000ff" });
  });
  const outcome = await change(reader, "takeover");
  assert.is(outcome.class, "identity", shown(outcome));
});

test("a command that hangs is cut off; what became of it is not known", async () => {
  const before = await reader.provider.query("both", 3000);
  assert.ok(before.ok);
  await standIn.switched("hang", "east")();
  const performed = await reader.provider.perform({ verb: "takeover", before, force: false }, 300);
  assert.is(performed.kind, "cut-short");
});

test("after a takeover the old primary is demoted by hand, and then made anew", async () => {
  assert.is((await change(reader, "takeover")).kind, "done");
  const torn = await change(writer, "resync");
  assert.is(torn.kind, "refused", "both are primary");
  standIn.edit((state) => {
    Object.assign(state.sites["west"] ?? {}, { primary: false, torn: true });
  });
  const elsewhere = await change(reader, "resync");
  assert.is(elsewhere.class, "wrong-state", shown(elsewhere));
  const outcome = await change(writer, "resync");
  assert.ok(["done", "in-progress"].includes(outcome.kind), shown(outcome));
  assert.equal(words(outcome), ["--cluster west mirror image resync pool/hba"]);
});

test("remove at the secondary needs force; create at the reader's end is refused", async () => {
  const unforced = await change(reader, "remove");
  assert.is(unforced.class, "wrong-state", shown(unforced));
  const forced = await change(reader, "remove", { force: true });
  assert.is(forced.kind, "done", shown(forced));
  assert.equal(words(forced), ["--cluster east mirror image disable pool/hba --force"]);
  const created = await change(reader, "create");
  assert.is(created.class, "wrong-state", shown(created));
});

test("snapshot mode and a second peer: nothing is known, nothing is changed", async () => {
  standIn.edit((state) => {
    state["mode"] = "snapshot";
  });
  const answer = await writer.provider.query("local", 3000);
  assert.ok(answer.ok && answer.local.state === "unknown");
  assert.match(answer.local.cause, "snapshots");
  assert.is((await change(reader, "takeover")).class, "wrong-state");
  await standIn.switched("mixed")();
  const mixed = await writer.provider.query("local", 3000);
  assert.is(mixed.ok ? "" : mixed.class, "mixed-group");
});

test("settings that are wrong are told before anything is run", async () => {
  const before = await writer.provider.query("local", 3000);
  assert.ok(before.ok);
  for (const more of [{ image: "hba" }, { image: "-x/y" }, { image: "a/b@c" }, { cluster: "-c" }]) {
    const { provider } = standIn.open("writer", { ...more, rbd: ["/nonexistent/rbd"] });
    for (const asked of [provider.identify(3000), provider.query("local", 3000)]) {
      const answer = await asked;
      assert.is(answer.ok ? "" : answer.class, "config", JSON.stringify(more));
    }
    const wanted = { verb: "remove", before, force: true } as const;
    assert.equal(provider.commands(wanted), []);
    assert.is((await provider.perform(wanted, 3000)).kind, "not-begun");
  }
});

test("no program, no permission, no image, no time: each by its class", async () => {
  const classOf = async (pair: OpenPair, limitMs = 3000): Promise<string> => {
    const answer = await pair.provider.query("local", limitMs);
    return answer.ok ? answer.local.state : answer.class;
  };
  assert.is(await classOf(standIn.open("writer", { rbd: ["/nonexistent/rbd"] })), "daemon-down");
  assert.is(await classOf(standIn.open("writer", { image: "pool/other" })), "config");
  assert.is(await classOf(standIn.open("writer", { image: "ns/pool/hba" })), "config");
  await standIn.switched("denied")();
  assert.is(await classOf(writer), "auth");
  standIn.reset();
  assert.is(await classOf(writer), "simplex");
  assert.is(await classOf(reader), "simplex", "rbd-mirror has not made it yet");
  standIn.edit((state) => {
    Object.assign(state.sites["west"] ?? {}, { exists: false });
  });
  assert.is(await classOf(writer), "config");
  await standIn.switched("hang", "west")();
  assert.is(await classOf(writer, 300), "timeout");
});

test.run();
