/**
 * One change or question of one pair, as a process of its own: pair-command VERB MIRROR CONFIG.
 * It stands in the network namespace of its site, where the provider can reach the other array.
 */
import { changePair } from "../../change.ts";
import { openProvider } from "../../open-provider.ts";
import { loadConfig } from "../../../host/config-file.ts";
import { type PairVerb, pairVerbs } from "../../../core/base/pair-settings.ts";

const nowMs = (): number => performance.now();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function main([verb, name, file]: readonly string[]): Promise<unknown> {
  const loaded = loadConfig({ file: file ?? "", host: null });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded));
  const { config } = loaded;
  const mirror = config.mirrors.find((each) => each.name === name);
  if (!mirror) throw new Error(`no mirror ${name}`);
  const end = mirror.writer === config.self.site ? "writer" : "reader";
  const pair = await openProvider(mirror, end, nowMs);
  if (!pair) throw new Error(`${name} has no provider`);
  const { provider, expected, queryLimitMs, changeLimitMs } = pair;
  if (verb === "query") return provider.query("both", queryLimitMs);
  if (verb === "identify") return provider.identify(queryLimitMs);
  if (!pairVerbs.includes(verb as PairVerb)) throw new Error(`${verb}: no such change`);
  return changePair(provider, verb as PairVerb, {
    expected, force: false, dryRun: false, queryLimitMs, changeLimitMs, nowMs, pause,
  }); // biome-ignore format: one object
}

main(process.argv.slice(2)).then(
  (result) => console.log(JSON.stringify(result)),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 70;
  },
);
