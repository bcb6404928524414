/** What is wrong with a superblock, in the words of a refusal. */
import { exitCodes } from "../core/base/exit-codes.ts";
import { formatVersion } from "../core/sector/layout.ts";
import { keyIdText } from "../host/key-file.ts";
import { type Refused, refuse } from "./device-io.ts";
import type { SuperblockLook } from "./superblock.ts";

const texts: Partial<Record<string, string>> = {
  checksum: "its checksum is wrong (torn or damaged)",
  forged: "its signature is wrong (changed after it was signed, or forged)",
  "foreign-cluster": "its cluster id does not fit its cluster name (damaged)",
  misplaced: "it was written for another block (copied to a wrong offset?)",
  "wrong-site": "it names a site where none belongs (damaged)",
  "reserved-not-zero": "reserved bytes are not zero (damaged, or another version)",
  plan: "its plan does not fit the device (copied to a smaller one?)",
  "not-a-record": "it is overwritten",
  "unknown-key": "its key is not held",
  "version-newer": "it is of a newer version",
  "version-older": "it is of an older version",
};

export function faultText(look: SuperblockLook): string {
  if (look.kind === "good") return "it is good";
  return look.kind === "empty" ? "it is empty" : (texts[look.reason] ?? look.reason);
}

/** Keys and versions: nothing is damaged, so no backup would help. null for other faults. */
export function foreignRefusal(
  path: string,
  look: SuperblockLook,
  keyIds: readonly number[],
): Refused | null {
  if (look.kind !== "bad") return null;
  const version = look.superblock?.version ?? formatVersion;
  switch (look.reason) {
    case "unknown-key": {
      const held = keyIds.map(keyIdText).join(" and ") || "none";
      const signed = `${path}: signed with key ${keyIdText(look.superblock?.keyId ?? 0)}`;
      const remedy = "copy the key file from a host of that cluster";
      return refuse(exitCodes.noPermission, `${signed}; the key file holds ${held}: ${remedy}`);
    }
    case "version-newer": {
      const needs =
        version > formatVersion ? `format version ${version}` : "features of a newer version";
      const remedy = `this program knows version ${formatVersion}: upgrade it`;
      return refuse(exitCodes.dataError, `${path}: ${needs}; ${remedy}`);
    }
    case "version-older": {
      const remedy = `this program knows version ${formatVersion}: format it anew`;
      return refuse(exitCodes.dataError, `${path}: format version ${version}; ${remedy}`);
    }
    default:
      return null;
  }
}
