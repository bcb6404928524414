/**
 * Reservation keys: eight bytes by which a volume knows a host. A key tells whose it is, so that
 * a site can tell its own hosts, the other site's, and programs that are not of this cluster.
 *
 *   bytes 0-4  the first five of the SHA-256 of the cluster's name
 *   byte  5    the site's id, 1 to 255: so a key is never 0
 *   bytes 6-7  the host's slot, 0 to 4095
 */
import { createHash } from "node:crypto";
import { assert } from "../core/base/assert.ts";

const clusterBytes = 5;
const siteShift = 16n;
const clusterShift = 24n;

export function reservationKey(cluster: string, siteId: number, slot: number): bigint {
  assert(Number.isInteger(siteId) && siteId >= 1 && siteId <= 255, "a site's id is 1 to 255");
  assert(Number.isInteger(slot) && slot >= 0 && slot <= 0xffff, "a slot fits two bytes");
  const digest = createHash("sha256").update(`mirrorbeat reservation ${cluster}`).digest();
  const prefix = BigInt(`0x${digest.toString("hex", 0, clusterBytes)}`);
  return (prefix << clusterShift) | (BigInt(siteId) << siteShift) | BigInt(slot);
}

export type KeyOwner = "own-site" | "other-site" | "foreign";

/** Whose a key is, seen from the host with the key `own`. */
export function ownerOf(key: bigint, own: bigint): KeyOwner {
  if (key >> clusterShift !== own >> clusterShift) return "foreign";
  const siteOf = (each: bigint) => (each >> siteShift) & 0xffn;
  if (siteOf(key) === 0n) return "foreign";
  return siteOf(key) === siteOf(own) ? "own-site" : "other-site";
}

export const keyText = (key: bigint): string => `0x${key.toString(16).padStart(16, "0")}`;
