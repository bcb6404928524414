/** Volumes, keys and records for the tests of what works on them: plain files and loop devices. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import * as assert from "uvu/assert";
import type { ExitCode } from "../../core/base/exit-codes.ts";
import { decodeSector, encodeSector } from "../../core/sector/codec.ts";
import {
  blockBytes,
  type EchoSector,
  type HeartbeatRecord,
  sectorBytes,
  type Superblock,
} from "../../core/sector/layout.ts";
import { type Copy, recordBlockOf } from "../../core/sector/volume.ts";
import { keyFileText } from "../../host/key-file.ts";
import { echoValues, recordValues } from "../../testing/core-samples.ts";
import { keyIdOf, otherKey, sealing, testKey } from "../../testing/core-seal.ts";
import { formatVerb } from "../../verbs/format.ts";
import type { VerbIo } from "../../verbs/verb-io.ts";
import { planOf } from "../superblock.ts";

/** Not /tmp, which may be a file system without direct I/O. */
export const folder = mkdtempSync("/var/tmp/mirrorbeat-volume-");
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const created = "2026-11-22T07:31:04Z";

function keyFileOf(name: string, secret: Uint8Array): string {
  const file = path.join(folder, name);
  const key = {
    id: keyIdOf(secret),
    secret: Buffer.from(secret),
    state: "active",
    created,
  } as const;
  writeFileSync(file, keyFileText([key]), { mode: 0o600 });
  return file;
}

export const keyFile = keyFileOf("key", testKey);
export const otherKeyFile = keyFileOf("other-key", otherKey);

export type Ran = { readonly code: ExitCode; readonly out: string; readonly err: string };
type Verb = (args: readonly string[], io: VerbIo) => Promise<ExitCode>;

/** Runs a verb in this process. */
export async function run(verb: Verb, ...args: readonly string[]): Promise<Ran> {
  let out = "";
  let err = "";
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    env: {},
  };
  return { code: await verb(args, io), out, err };
}

let files = 0;

/** A new file of zeroes. */
export function newFile(sizeBytes = 2 * 1024 * 1024): string {
  const file = path.join(folder, `volume-${++files}`);
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  return file;
}

export const names = ["--cluster", "bank", "--writer", "tokyo", "--reader", "osaka"] as const;
export const asked = [...names, "--key", keyFile] as const;

export async function newVolume(sizeBytes?: number, ...more: readonly string[]): Promise<string> {
  const file = newFile(sizeBytes);
  const ran = await run(formatVerb, file, ...asked, "--yes", ...more);
  assert.is(ran.code, 0, ran.err);
  return file;
}

export function digestOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** Changes bytes of a file in place. */
export function patch(file: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, "r+");
  try {
    writeSync(descriptor, bytes, 0, bytes.length, at);
  } finally {
    closeSync(descriptor);
  }
}

export function superblockOf(file: string): Superblock {
  return decodeSector("superblock", readFileSync(file).subarray(0, sectorBytes));
}

export type RecordPlace = { readonly slot: number; readonly copy: Copy };

/** Writes a signed record, and echo sectors beside it, into a slot of a formatted file. */
export function writeRecord(
  file: string,
  superblock: Superblock,
  { slot, copy }: RecordPlace,
  changes: Partial<HeartbeatRecord> = {},
  echoes: readonly Partial<EchoSector>[] = [],
): void {
  const { clusterId, volumeId } = superblock;
  const block = recordBlockOf(planOf(superblock), slot, copy);
  const place = { clusterId, volumeId, block, slot, copy };
  const bytes = Buffer.alloc(blockBytes);
  const record = recordValues({ echoSectors: echoes.length, ...changes, ...place });
  encodeSector("record", record, sealing, bytes);
  echoes.forEach((echo, at) => {
    const values = echoValues({ ...echo, ...place, index: at + 1 });
    encodeSector("echo", values, sealing, bytes, (at + 1) * sectorBytes);
  });
  patch(file, block * blockBytes, bytes);
}

/** A loop device over a new file, detached again whatever happens. */
export async function withLoop(
  logicalBytes: 512 | 4096,
  sizeBytes: number,
  body: (device: string, file: string) => Promise<void>,
): Promise<void> {
  const file = newFile(sizeBytes);
  const args = ["-f", "--show", "--sector-size", String(logicalBytes), file];
  const device = execFileSync("losetup", args, { encoding: "utf8" }).trim();
  try {
    await body(device, file);
  } finally {
    // The flag would outlive the detachment, and meet whoever uses that number next.
    execFileSync("blockdev", ["--setrw", device]);
    execFileSync("losetup", ["-d", device]);
  }
}
