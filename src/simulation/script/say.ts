/**
 * A host's word that no agent says yet, as a host of a later version would say it: the newest
 * datagram of that host once more, with the next serial and another state, sealed with the right key.
 */
import { decodeSector, encodeSector, type Unsealed } from "../../core/sector/codec.ts";
import { sectorBytes, states } from "../../core/sector/layout.ts";
import { crc32c, macOf } from "../checksum.ts";
import { simulatedKeyId, type SimulatedWorld } from "../world.ts";

/** What can be said. */
export const words = ["failed"] as const;
export type SaidWord = (typeof words)[number];

/** False where that host has sent nothing lately. */
export function say(world: SimulatedWorld, host: string, word: SaidWord): boolean {
  const { network } = world;
  const last = network.recent.findLast(({ from }) => from === host);
  if (!last) return false;
  const seal = { mac: macOf([simulatedKeyId]), crc32c, keyId: simulatedKeyId };
  const bytes = Buffer.from(last.bytes);
  const [record, echo] = [bytes.subarray(0, sectorBytes), bytes.subarray(sectorBytes)];
  const was = decodeSector("record", record);
  const serial = was.serial + 1n;
  const told = { ...was, serial, state: states[word] } as Unsealed<"record">;
  encodeSector("record", told, seal, record);
  encodeSector("echo", { ...decodeSector("echo", echo), serial } as Unsealed<"echo">, seal, echo);
  network.inject(last.to, bytes);
  return true;
}
