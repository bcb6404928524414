/**
 * What is bundled for each mutant: runs histories until the first violation, and says which. Told
 * a list of searches by standard input; one line of JSON is the answer, a list as long.
 *
 * {scenarios, seeds, setups, faults, runMs, first}: kept histories come first, then the seed that
 * caught it the last time, then seeds 1..N of histories made of these set-ups and faults.
 */
import { readFileSync } from "node:fs";
import { faults, faultNamed } from "../simulation/faults/all.ts";
import { scenarioOf } from "../simulation/generate.ts";
import { runScenario } from "../simulation/run.ts";
import { setupNamed, setups } from "../simulation/setups.ts";

let thrown = null;
const keepThrown = (error) => {
  thrown ??= error;
};
process.on("uncaughtException", keepThrown);
process.on("unhandledRejection", keepThrown);

function known(names, all, find, what) {
  return names?.map((name) => {
    const found = find(name);
    if (!found)
      throw new Error(`no ${what} '${name}'; there is: ${all.map((one) => one.name).join(", ")}`);
    return found;
  });
}

const crash = (error) => ({
  checker: "crash",
  text: String(error?.message ?? error).split("\n")[0],
  atMs: null,
});

/** The first violation; null where there is none. */
async function violationOf(scenario) {
  thrown = null;
  const [setup] = known([scenario.setup], setups, setupNamed, "set-up");
  // A name that is not known is a fault of the history, and must not pass for a crash.
  known(
    scenario.steps.map(({ fault }) => fault),
    faults,
    faultNamed,
    "fault",
  );
  try {
    const { violations } = await runScenario(scenario, setup.config);
    return violations[0] ?? (thrown ? crash(thrown) : null);
  } catch (error) {
    return crash(error);
  }
}

async function search(task) {
  const options = {
    setups: known(task.setups, setups, setupNamed, "set-up"),
    faults: known(task.faults, faults, faultNamed, "fault"),
    runMs: task.runMs,
  };
  let ran = 0;
  for (const { name, scenario } of task.scenarios) {
    ran += 1;
    const violation = await violationOf(scenario);
    if (violation) return { violation, by: { scenario: name }, ran };
  }
  const seeds = Array.from({ length: task.seeds }, (_, index) => index + 1);
  if (task.first !== null) seeds.unshift(task.first);
  for (const seed of seeds) {
    ran += 1;
    const violation = await violationOf(scenarioOf(seed, options));
    if (violation) return { violation, by: { seed }, ran };
  }
  return { violation: null, by: null, ran };
}

async function searchAll(tasks) {
  const found = [];
  for (const task of tasks) found.push(await search(task));
  return found;
}

searchAll(JSON.parse(readFileSync(0, "utf8"))).then(
  (found) => process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0)),
  (error) => {
    console.error(error?.stack ?? error);
    process.exit(70);
  },
);
