// test-limit-seconds: 300
/**
 * Installing and removing a mirror over real arrays: an agent is killed at each step, started again,
 * and the verb is run again; the end is always the same, and nobody is ever called dead. And the
 * same with no network at all.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { testWhere } from "../../testing/where.ts";
import { labNeeds, LabWorld, type Mirror, mirrors, type Site, sites } from "./testing/lab-world.ts";

/** A host that is killed and begun again is back long before it is missed. */
const patient = "[timing]\ninterval_ms = 500\nmargin_ms = 8000";
const mirror: Mirror = "tokyo-osaka";
const other: Mirror = "osaka-tokyo";

type Verb = "install" | "deinstall";
const campaign: readonly (readonly [Verb, Site, string])[] = [
  ["install", "tokyo", "pvol-registered"],
  ["deinstall", "tokyo", "draining"],
  ["install", "tokyo", "enabled"],
  ["deinstall", "tokyo", "deactivation-sent"],
  ["install", "tokyo", "activation-sent"],
  ["deinstall", "tokyo", "acknowledged"],
  ["install", "tokyo", "acknowledged"],
  ["deinstall", "tokyo", "deregistered"],
  ["install", "osaka", "activation-received"],
  ["deinstall", "osaka", "deactivation-received"],
  ["install", "osaka", "svol-registered"],
  ["deinstall", "osaka", "draining"],
  ["install", "osaka", "enabled"],
  ["deinstall", "osaka", "deregistered"],
  ["install", "osaka", "receipt-sent"],
  ["deinstall", "osaka", "receipt-sent"],
];

/** Gives how the verb ended that ran meanwhile. */
async function killedAt(lab: LabWorld, verb: Verb, victim: Site, step: string) {
  const running = lab.install(verb, mirror, "--wait", "40");
  await lab.killAt(victim, mirror, step);
  await lab.startAndWait(victim);
  const first = await running;
  // What was not yet given to the others is lost with the agent, and the verb says so at once.
  if (first.code !== 0) assert.match(first.err, "began anew");
  const again = await lab.install(verb, mirror);
  assert.is(again.code, 0, again.err);
  const rest = { [other]: "svol enabled" };
  const far = { [other]: "pvol enabled" };
  const [atTokyo, atOsaka] =
    verb === "install"
      ? [
          { ...rest, [mirror]: "pvol enabled" },
          { ...far, [mirror]: "svol enabled" },
        ]
      : [rest, far];
  assert.equal(lab.registrations("tokyo"), atTokyo);
  assert.equal(lab.registrations("osaka"), atOsaka);
  await lab.until(`${mirror} ${verb}ed is seen`, async () => {
    return (await lab.isOk(mirror)) === (verb === "install");
  });
  return first.code;
}

testWhere(test, labNeeds, "killed at each step at either site: the same end", async () => {
  const lab = await LabWorld.open(patient, "--size", "2");
  try {
    for (const site of sites) await lab.startAndWait(site);
    await lab.changeAll("create");
    assert.is((await lab.install("install", other)).code, 0);
    for (const [verb, victim, step] of campaign) {
      const beganMs = performance.now();
      const what = `${verb}, ${victim} killed at ${step}`;
      const code = await killedAt(lab, verb, victim, step).catch((error: unknown) => {
        throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      });
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
      console.log(`${what}: exit ${code}, then 0; ${seconds} s`);
      assert.equal([...lab.offers(), ...lab.deaths()], [], what);
    }
    await lab.untilRow("1");
  } finally {
    await lab.close();
  }
});

testWhere(test, labNeeds, "no network: a mirror carries its own activation", async () => {
  const lab = await LabWorld.open("network = false\n[timing]\ninterval_ms = 500", "--size", "2");
  try {
    await lab.changeAll("create");
    for (const site of sites) await lab.startAndWait(site);
    const first = await lab.install("install", mirror, "--wait", "1");
    assert.is(first.code, 75, "a receipt came, and there is no way for it");
    await lab.until("osaka has it", () => lab.stepsOf("osaka", mirror).includes("receipt-sent"));
    const second = await lab.install("install", other);
    assert.is(second.code, 0, second.err);
    await lab.until("its receipt", () => lab.stepsOf("tokyo", mirror).includes("installed"));
    await lab.untilRow("2b");
    for (const each of mirrors) await lab.untilOk(each);

    const refused = await lab.install("deinstall", mirror);
    assert.is(refused.code, 107, refused.err);
    const forced = await lab.install("deinstall", mirror, "--force");
    assert.is(forced.code, 0, forced.err);
    assert.equal(lab.registrations("tokyo"), { [other]: "svol enabled" });
    assert.equal(lab.registrations("osaka"), { [other]: "pvol enabled" });
    assert.equal([...lab.offers(), ...lab.deaths()], []);
  } finally {
    await lab.close();
  }
});

test.run();
