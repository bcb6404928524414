/**
 * `simulate-part`: runs the histories that `simulate` hands to it, a line each way for every seed.
 * Started by the program itself, so that each processor has its own; ends when nobody asks any more.
 */
import { createInterface } from "node:readline";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { type CampaignWish, runSeed } from "../simulation/campaign.ts";
import type { VerbIo } from "./verb-io.ts";

export async function simulatePartVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  if (args.length > 0 || process.stdin.isTTY) {
    io.err("mirrorbeat simulate-part: is started by the program itself, not by hand\n");
    return exitCodes.usage;
  }
  // Who asks decides when it is over; a terminal's Ctrl-C comes to both.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
  let wish: CampaignWish | null = null;
  for await (const line of createInterface({ input: process.stdin })) {
    // The first line is what is to be run, each other one a seed.
    if (wish === null) wish = JSON.parse(line) as CampaignWish;
    else io.out(`${JSON.stringify(await runSeed(Number(line), wish))}\n`);
  }
  return exitCodes.ok;
}
