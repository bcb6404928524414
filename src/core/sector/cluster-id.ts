/**
 * The cluster's id, made from its name: every host finds the same one without having been told.
 * A UUID of version 8 (RFC 9562), for which the maker says how its bits come about: the first 16
 * bytes of SHA-256 over the ASCII text "mirrorbeat cluster NAME", then version and variant.
 *
 * The hash is a function that the caller gives: the core has no cryptography of its own.
 */
import { assert } from "../base/assert.ts";
import { uuidText } from "./codec.ts";

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const prefix = "mirrorbeat cluster ";

export function clusterIdOf(name: string, sha256: Sha256): string {
  const text = prefix + name;
  const codes = Uint8Array.from(text, (letter) => {
    const code = letter.charCodeAt(0);
    assert(code >= 0x20 && code < 0x7f, `an ASCII name: ${name}`);
    return code;
  });
  const id = Uint8Array.from(sha256(codes).subarray(0, 16));
  assert(id.length === 16, "a hash of at least 16 bytes");
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x80;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  return uuidText(id);
}
