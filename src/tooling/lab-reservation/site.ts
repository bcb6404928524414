/**
 * One site of the reservation laboratory: the shipped arbiter and the shipped block I/O, one
 * question a run. usage: site.cjs SITE-ID ask|holds|release|write DEVICE TYPE; prints one line,
 * "granted: ...", "denied: ...", "unknown: ...", "done" or the code of a failed write.
 */
import { openArbiter, type ReservationType } from "../../arbiter/arbiter.ts";
import { reservationKey } from "../../arbiter/reservation-key.ts";
import { blockBytes, openBlockIo } from "../../device/block.ts";

/** Everything is slow under emulation. */
const limitMs = 20_000;
const names = ["", "tokyo", "osaka"];

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

async function main([site = "", verb = "", device = "", type = "5"]: readonly string[]) {
  if (verb === "write") return write(device);
  const id = Number(site);
  const arbiter = openArbiter({
    kind: "reservation",
    devices: [device],
    key: reservationKey("lab", id, 0),
    type: Number(type) as ReservationType,
    limitMs,
  });
  const request = { site: names[id] ?? "", peer: names[3 - id] ?? "", term: 257n, limitMs };
  const { kind, detail } = await arbiter[verb as "ask" | "holds" | "release"](request);
  return `${kind}: ${detail}`;
}

main(process.argv.slice(2)).then(
  (line) => console.log(line),
  (error: unknown) => {
    console.log(String(error));
    process.exitCode = 1;
  },
);
