/**
 * Drives one end of a DRBD pair as the program does, for the laboratory: a question or one change,
 * answered as a line of JSON.
 *
 *   drive.cjs writer|reader RESOURCE query|VERB [force]
 */
import { type PairVerb, pairVerbs } from "../../../core/base/pair-settings.ts";
import { changePair } from "../../change.ts";
import { drbdProvider } from "../../drbd.ts";
import type { MirrorEnd } from "../../evidence.ts";

const queryLimitMs = 10_000;
const changeLimitMs = 60_000;
const nowMs = () => performance.now();

async function main([end, resource = "", verb = "", force]: readonly string[]): Promise<unknown> {
  const provider = drbdProvider({
    ...{ mirror: resource, end: end as MirrorEnd, peer: {}, device: "", peerDevice: "", nowMs },
    own: { resource, volume: 0, drbdsetup: ["drbdsetup"], drbdadm: ["drbdadm"] },
  });
  if (verb === "query") return provider.query("local", queryLimitMs);
  const identified = await provider.identify(queryLimitMs);
  if (!identified.ok || !(pairVerbs as readonly string[]).includes(verb)) return identified;
  return changePair(provider, verb as PairVerb, {
    ...{ expected: identified.identity.own, force: force === "force", dryRun: false },
    ...{ queryLimitMs, changeLimitMs, nowMs },
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
}

void main(process.argv.slice(2)).then((answer) => console.log(JSON.stringify(answer)));
