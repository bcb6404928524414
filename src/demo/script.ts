/**
 * The demo's script: what is shown, in which order, and what must be seen for a step to be ok.
 * Each fault is healed before the next. The measure of detection is the time from the kill to the
 * observer's own event line, held against the bound that `mirrorbeat timing` prints.
 */
import { runCommand } from "./processes.ts";
import {
  bounds,
  demoTiming,
  type HostName,
  hosts,
  mirrors,
  openStage,
  type Stage,
  volume,
} from "./stage.ts";
import { conditionWaiter } from "./wait.ts";
import { forgetHost, newScene, type Scene, takeEvent } from "./watch.ts";

export type DemoOptions = {
  readonly intervalMs: number;
  readonly seed: number;
  readonly keep: boolean;
  readonly say: (text: string) => void;
};
export type StepResult = { readonly name: string; readonly ok: boolean; readonly why?: string };
export type DemoResult = {
  readonly ok: boolean;
  readonly steps: readonly StepResult[];
  readonly detectionMs: number | null;
  readonly boundMs: number;
  readonly twoActive: number;
  readonly seed: number;
};

/** A small seeded generator (mulberry32): the same seed, the same moments. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Time to read, and for a bystander to reach for kill. */
const watchingMs = 2000;

const deadRows = new Set(["5", "6", "7", "8", "9", "10"]);
const siteA: readonly HostName[] = ["a1", "a2"];
const siteB: readonly HostName[] = ["b1", "b2"];
const everyone: readonly HostName[] = [...siteA, ...siteB];

type Play = {
  readonly stage: Stage;
  readonly scene: Scene;
  readonly wait: (holds: () => boolean, what: string) => Promise<string | null>;
  readonly line: (text: string) => void;
  readonly pause: () => Promise<void>;
  readonly options: DemoOptions;
  /** Hosts that the script itself killed. */
  readonly expected: Set<HostName>;
};

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

function allSee(scene: Scene, judges: readonly HostName[], rows: readonly string[]): boolean {
  return judges.every((judge) => rows.includes(scene.groups.get(judge) ?? ""));
}

async function beating(play: Play): Promise<string | null> {
  const { stage, scene, line } = play;
  for (const { name } of hosts) {
    const agent = stage.start(name);
    line(`host ${name} of site ${name[0]}: pid ${agent.pid}`);
  }
  const fault = await play.wait(
    () => allSee(scene, everyone, ["1"]),
    "every host alive on every path",
  );
  if (fault) return fault;
  line("BEATING      a>b, b>a and lan: every host is seen on both paths (row 1)");
  line("             (kill -9 any of these pids yourself: it will be found)");
  await new Promise((resolve) => setTimeout(resolve, watchingMs));
  return play.wait(
    () => scene.roles.get("a1") === "active" && scene.roles.get("b1") === "standby",
    "roles",
  );
}

async function lanCut(play: Play): Promise<string | null> {
  const { stage, scene, line } = play;
  await play.pause();
  stage.lan.cut();
  line("LAN CUT      no datagram passes");
  const fault = await play.wait(() => allSee(scene, everyone, ["2"]), "row 2 at every host");
  if (fault) return fault;
  line("  row 2      network partition, but the mirror beats: stay calm");
  stage.lan.heal();
  const healed = await play.wait(() => allSee(scene, everyone, ["1"]), "row 1 after healing");
  if (!healed) line("  healed     row 1");
  return healed;
}

async function mirrorCut(play: Play): Promise<string | null> {
  const { stage, scene, line } = play;
  await play.pause();
  for (const { name } of mirrors)
    if (!(await stage.copier(name, "cut"))) return "the copier did not obey";
  line("MIRROR CUT   the array copies nothing, in either direction");
  const fault = await play.wait(() => allSee(scene, everyone, ["3"]), "row 3 at every host");
  if (fault) return fault;
  line("  row 3      alive, remote link failure (pair suspended): stay calm");
  for (const { name } of mirrors) {
    if (!(await stage.copier(name, "heal")) || !(await stage.copier(name, "resync")))
      return "no resync";
  }
  const healed = await play.wait(() => allSee(scene, everyone, ["1"]), "row 1 after the resync");
  if (!healed) line("  healed     resynchronised, row 1");
  return healed;
}

type Killed = { readonly fault: string | null; readonly detectionMs: number | null };

async function productionKilled(
  play: Play,
  healthyMs: number,
  leastHealthyMs: number,
): Promise<Killed> {
  const { stage, scene, line } = play;
  await play.pause();
  const killedMs = performance.now();
  for (const name of siteA) {
    play.expected.add(name);
    stage.running(name)?.kill("SIGKILL");
  }
  line("KILLED       both hosts of production, kill -9");
  const judged = () => siteA.map((name) => scene.verdicts.get(`b1>${name}`));
  const found = () =>
    judged().every(
      (verdict) => verdict !== undefined && verdict.atMs > killedMs && deadRows.has(verdict.row),
    );
  const fault = await play.wait(
    () => found() && allSee(scene, siteB, ["9"]),
    "row 9 at the standby",
  );
  const lastMs = Math.max(...judged().map((verdict) => verdict?.atMs ?? 0));
  const detectionMs = found() ? Math.round(lastMs - killedMs) : null;
  if (fault || detectionMs === null) return { fault: fault ?? "not found", detectionMs };
  const illness = await illnessOf(stage, "b1");
  const boundMs = illness === 0 ? healthyMs : leastHealthyMs;
  line(
    `  row 9      found in ${seconds(detectionMs)} (bound ${seconds(boundMs)}): silent on every path;`,
  );
  line("             it cannot tell link from site: it HOLDS, asks the operator");
  if (detectionMs > boundMs)
    return { fault: `found in ${detectionMs} ms, bound ${boundMs} ms`, detectionMs };
  return { fault: await takeOver(play), detectionMs };
}

async function illnessOf(stage: Stage, host: HostName): Promise<number> {
  const ended = await runCommand(["status", "--json", "--config", stage.config(host)], 5000);
  try {
    const status = JSON.parse(ended.out) as { paths: { illness: number }[] };
    return Math.max(...status.paths.map((path) => path.illness));
  } catch {
    return 0;
  }
}

async function takeOver(play: Play): Promise<string | null> {
  const { stage, scene, line } = play;
  line("OPERATOR     (played by the demo) has seen that site a is down:");
  line("             mirrorbeat takeover --yes, on b1");
  const ended = await runCommand(["takeover", "--yes", "--config", stage.config("b1")], 30_000);
  if (ended.code !== 0) return `takeover: exit ${ended.code}: ${ended.err.trim()}`;
  for (const part of ended.out.trim().split(": service hook ")) line(`  takeover   ${part}`);
  return play.wait(() => scene.roles.get("b1") === "active", "b1 active");
}

async function productionBack(play: Play): Promise<string | null> {
  const { stage, scene, line } = play;
  for (const name of siteA) {
    scene.verdicts.delete(`b1>${name}`);
    play.expected.delete(name);
    const agent = stage.start(name);
    line(`BACK         host ${name} boots again: pid ${agent.pid}`);
  }
  const fault = await play.wait(
    () =>
      allSee(scene, everyone, ["1"]) &&
      siteA.every((name) => scene.roles.get(name) === "standby" || scene.terms.has(name)),
    "production back and seen",
  );
  if (fault) return fault;
  for (const name of siteA) {
    const ended = await runCommand(["status", "--json", "--config", stage.config(name)], 5000);
    const status = JSON.parse(ended.out) as { role: string; term: string; termOwner: string };
    if (status.role !== "standby" || status.termOwner !== "b")
      return `${name} is ${status.role}, owner ${status.termOwner}`;
    line(
      `  ${name}         finds term ${status.term} of site b: stays STANDBY, its gate is CLOSED`,
    );
  }
  return null;
}

/** A host that died though the script did not kill it: a bystander's doing, which must be found too. */
function bystanderWatch(play: Play, host: HostName, boundMs: number): void {
  const diedMs = performance.now();
  const judges = host.startsWith("a") ? siteB : siteA;
  const { scene, line } = play;
  line(`BYSTANDER    host ${host} died, not by this script`);
  const foundMs = (): number | null => {
    const verdicts = judges.flatMap((judge) => scene.verdicts.get(`${judge}>${host}`) ?? []);
    const dead = verdicts.filter(({ row, atMs }) => atMs > diedMs && deadRows.has(row));
    return dead.length > 0 ? Math.min(...dead.map(({ atMs }) => atMs)) - diedMs : null;
  };
  void play
    .wait(() => foundMs() !== null, "found")
    .then((fault) => {
      const tookMs = foundMs() ?? 0;
      line(
        fault
          ? `  ${host}         NOT found: ${fault}`
          : `  ${host}         found in ${seconds(tookMs)} (bound ${seconds(boundMs)}); started again`,
      );
      if (play.stage.running(host)?.alive === false) {
        const agent = play.stage.start(host);
        line(`host ${host} of site ${host[0]}: pid ${agent.pid}`);
      }
    });
}

type Measured = { detectionMs: number | null };
type Act = readonly [name: string, act: () => Promise<string | null>];

/** The steps in their order; each answers null, or what was not as promised. */
function scriptOf(
  play: Play,
  measured: Measured,
  healthyMs: number,
  leastHealthyMs: number,
): readonly Act[] {
  const killed = async (): Promise<string | null> => {
    const result = await productionKilled(play, healthyMs, leastHealthyMs);
    measured.detectionMs = result.detectionMs;
    return result.fault;
  };
  return [
    ["beating", () => beating(play)],
    ["lan-cut", () => lanCut(play)],
    ["mirror-cut", () => mirrorCut(play)],
    ["production-killed", killed],
    ["production-back", () => productionBack(play)],
  ];
}

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const timing = demoTiming(options.intervalMs);
  const { healthyMs, leastHealthyMs } = bounds(timing);
  const scene = newScene();
  const waiter = conditionWaiter();
  const draw = random(options.seed);
  const beganMs = performance.now();
  const line = (text: string): void =>
    options.say(`${((performance.now() - beganMs) / 1000).toFixed(1).padStart(5)}  ${text}\n`);
  const expected = new Set<HostName>();
  let closing = false;
  line(`mirrorbeat demo: interval ${options.intervalMs} ms, seed ${options.seed}`);
  line(`a death is found within ${seconds(healthyMs)} by a healthy observer,`);
  line(`within ${seconds(leastHealthyMs)} by the least healthy (mirrorbeat timing says why)`);
  const stage = await openStage({
    timing,
    onEvent: (host, event) => {
      takeEvent(scene, host, event, performance.now());
      waiter.poke();
    },
    onExit: (host) => {
      forgetHost(scene, host);
      if (!closing && !expected.has(host)) bystanderWatch(play, host, healthyMs);
      waiter.poke();
    },
    onLine: (who, text) => line(`${who}: ${text}`.slice(0, 72)),
  });
  const stepMs = 4 * leastHealthyMs;
  const play: Play = {
    stage,
    scene,
    line,
    options,
    expected,
    pause: () => new Promise((resolve) => setTimeout(resolve, draw() * options.intervalMs)),
    wait: async (holds, what) =>
      (await waiter.until(holds, stepMs)) ? null : `not seen within ${seconds(stepMs)}: ${what}`,
  };
  const measured: Measured = { detectionMs: null };
  const script = scriptOf(play, measured, healthyMs, leastHealthyMs);
  const steps: StepResult[] = [];
  try {
    for (const [name, act] of script) {
      const why = await act();
      steps.push(why ? { name, ok: false, why } : { name, ok: true });
      if (why) line(`FAILED       ${name}: ${why}`);
      if (why) break;
    }
  } finally {
    closing = true;
    await stage.close(options.keep);
  }
  const ok =
    steps.length === script.length && steps.every((step) => step.ok) && scene.twoActive === 0;
  const verdict = ok ? "OK" : "FAILED";
  line(
    `${verdict}           two active sites: ${scene.twoActive}; steps: ${steps.filter((step) => step.ok).length} of ${script.length}`,
  );
  if (options.keep) {
    line(`volumes kept: ${stage.folder}`);
    options.say(
      `next: mirrorbeat examine ${volume(stage.folder, "a-b", "svol")} \\\n        --key ${stage.folder}/authkey\n`,
    );
  } else options.say("next: mirrorbeat timing; then docs/operations.md for two real sites\n");
  return {
    ok,
    steps,
    detectionMs: measured.detectionMs,
    boundMs: healthyMs,
    twoActive: scene.twoActive,
    seed: options.seed,
  };
}
