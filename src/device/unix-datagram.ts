/**
 * One datagram to a unix socket; the run-time has no such sockets. Never waits: a reader that is
 * behind is an answer.
 */
import path from "node:path";
import { loadLibrary, type PreparedCall, pointerTo } from "./foreign.ts";
import { errorCode, libraryName } from "./native.ts";

/** struct mirrorbeat_datagram of native/include/mirrorbeat_fence.h. */
const structureBytes = 628;
const at = { addressBytes: 0, textBytes: 4, address: 8, text: 116 } as const;
const addressBytesMax = 108;
const textBytesMax = 512;

let prepared: { readonly structure: Buffer; readonly send: PreparedCall } | string | null = null;

function prepare(): { readonly structure: Buffer; readonly send: PreparedCall } | string {
  const file = path.join(__dirname, libraryName);
  const loaded = loadLibrary(file);
  if (!loaded.ok) return `${file}: ${loaded.message}`;
  const structure = Buffer.alloc(structureBytes);
  const send = loaded.library.prepare("mirrorbeat_datagram_send", pointerTo(structure));
  return { structure, send };
}

/** `address`: a path, or "@name" for an abstract one. Why it was not sent; null when it was. */
export function sendUnixDatagram(address: string, text: string): string | null {
  const name = Buffer.from(address.startsWith("@") ? `\0${address.slice(1)}` : address);
  const bytes = Buffer.from(text);
  if (name.length === 0 || name.length >= addressBytesMax) {
    return `${address}: no address of a unix socket has ${name.length} bytes`;
  }
  if (bytes.length > textBytesMax) return `${address}: a text of ${bytes.length} bytes is too long`;
  prepared ??= prepare();
  if (typeof prepared === "string") return prepared;
  const { structure, send } = prepared;
  structure.fill(0, at.address, at.text);
  structure.writeUInt32LE(name.length, at.addressBytes);
  structure.writeUInt32LE(bytes.length, at.textBytes);
  name.copy(structure, at.address);
  bytes.copy(structure, at.text);
  const result = send();
  return result === 0 ? null : `${address}: ${errorCode(result)}`;
}
