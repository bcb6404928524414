/**
 * Both sites of the reservation laboratory: the shipped arbiter and the shipped block I/O, each
 * site over its own path to the volume. usage: sites.cjs TYPE TOKYO-DEVICE OSAKA-DEVICE STEP...
 * with steps as "tokyo:ask"; prints a line a step: milliseconds and what came of it: "granted: ...",
 * "denied: ...", "unknown: ...", "done", or the code of a write that failed.
 */
import { type Arbiter, openArbiter, type ReservationType } from "../../arbiter/arbiter.ts";
import { reservationKey } from "../../arbiter/reservation-key.ts";
import { blockBytes, openBlockIo } from "../../device/block.ts";

/** Everything is slow under emulation. */
const limitMs = 60_000;
const names = ["tokyo", "osaka"] as const;

async function write(device: string): Promise<string> {
  const opened = openBlockIo();
  if (!opened.ok) return opened.message;
  const found = await opened.io.open(device, "write", limitMs);
  if (!found.ok) return found.message;
  const lane = found.device.lane(blockBytes);
  const outcome = await lane?.write(0, blockBytes, limitMs);
  await found.device.close();
  opened.io.close();
  return outcome?.kind === "failed" ? outcome.code : (outcome?.kind ?? "no lane");
}

type Site = { readonly name: string; readonly device: string; readonly arbiter: Arbiter };

function siteOf(name: string, index: number, device: string, type: ReservationType): Site {
  const key = reservationKey("lab", index + 1, 0);
  const settings = { kind: "reservation", devices: [device], key, type, limitMs } as const;
  return { name, device, arbiter: openArbiter(settings) };
}

async function perform({ name, device, arbiter }: Site, verb: string): Promise<string> {
  if (verb === "write") return write(device);
  const peer = names.find((each) => each !== name) ?? "";
  const request = { site: name, peer, term: 257n, limitMs };
  const { kind, detail } = await arbiter[verb as "ask" | "holds" | "release"](request);
  return `${kind}: ${detail}`;
}

async function main([type, tokyo = "", osaka = "", ...steps]: readonly string[]): Promise<void> {
  const devices = [tokyo, osaka];
  const kind = Number(type) as ReservationType;
  const sites = names.map((name, index) => siteOf(name, index, devices[index] ?? "", kind));
  for (const step of steps) {
    const [name = "", verb = ""] = step.split(":");
    const site = sites.find((each) => each.name === name);
    if (!site) throw new Error(`no site ${name}`);
    const beganMs = performance.now();
    const said = await perform(site, verb);
    console.log(`${Math.round(performance.now() - beganMs)} ${said}`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.log(`0 ${String(error)}`);
  process.exitCode = 1;
});
