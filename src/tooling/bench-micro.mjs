// The parts of the agent alone, through the shipped code: bundled from src as the program is, run
// as a process of its own. Tells one JSON object. Argument: {"device","keyFile","slots"}; a null
// device leaves out the polls.
import { createHmac } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { recordAreaPoller, slotOpener } from "../agent/slots.ts";
import { encodeDatagram, encodeRecordBlock, keyring } from "../agent/seal.ts";
import { openSector } from "../core/record.ts";
import { blockBytes, macSpanBytes, sectorBytes } from "../core/sector/layout.ts";
import { recordBlockOf } from "../core/sector/volume.ts";
import { openBlockIo } from "../device/block.ts";
import { loadKeys } from "../host/key-file.ts";
import { openVolume } from "../volume/open.ts";
import { median } from "./bench-meter.mjs";

const { device, keyFile, slots } = JSON.parse(process.argv[2]);
const rounds = 7;
const deadlineMs = 5000;
const deviceBytesMax = 64 << 20;

function orThrow(result) {
  if (!result.ok) throw new Error(result.message ?? result.refusal?.message);
  return result;
}

const loaded = orThrow(loadKeys(keyFile));
const { io } = orThrow(openBlockIo({ engine: "any", areaBytes: 2 * deviceBytesMax }));
const keys = keyring(loaded.keys, io);
const clusterId = "11111111-2222-3333-4444-555555555555";

const bodyOf = (serial) => ({
  state: 1,
  role: 1,
  failureClass: 0,
  flags: 0,
  intervalMs: 1000,
  incarnation: 7n,
  bootId: "0f0e0d0c-0b0a-0908-0706-050403020100",
  serial,
  bootClockNs: 1n,
  wallClockNs: 2n,
  term: 257n,
  leaseMs: 0,
  watchdogMs: 0,
  generation: 1n,
  nonce: serial * 7n,
  renouncedTerm: 0n,
  renouncedNonce: 0n,
  handoverTerm: 0n,
  handoverSite: 0,
  timingDigest: 5,
  commandSeen: 0n,
  commandDone: 0n,
  hostName: "tokyo-1",
  groups: [],
  noticeId: 0,
  noticeCode: 0,
  noticeSeverity: 0,
  noticeSerial: 0n,
  noticeText: "",
});
const noEcho = { peerSiteId: 2, echoes: [] };

/** Median nanoseconds of one call, by rounds after a warm-up. */
function nanoseconds(count, work) {
  for (let i = 0; i < count; i++) work(i);
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const began = process.hrtime.bigint();
    for (let i = 0; i < count; i++) work(i);
    times.push(Number(process.hrtime.bigint() - began) / count);
  }
  return median(times);
}

function codec() {
  const count = 10_000;
  const volumeId = "66666666-7777-8888-9999-aaaaaaaaaaaa";
  const writer = { clusterId, siteId: 1, slot: 3 };
  const block = Buffer.alloc(blockBytes);
  const sealing = keys.sealing();
  const place = { volumeId, block: 14, copy: 0 };
  let serial = 1n;
  const encode = () => encodeRecordBlock(block, place, writer, bodyOf(serial++), noEcho, sealing);
  const body = bodyOf(serial);
  const to = (slot) => encodeDatagram({ siteId: 2, slot }, writer, body, noEcho, sealing);
  encode();
  const sector = block.subarray(0, sectorBytes);
  const found = { medium: "volume", clusterId, volumeId, block: 14, copy: 0, slot: 3, siteId: 1 };
  const decode = () => openSector("record", sector, found, keys);
  if (decode().kind !== "valid") throw new Error(`the record is not believed: ${decode().reason}`);
  const secret = loaded.keys.signing.secret;
  const signed = sector.subarray(0, macSpanBytes);
  return {
    encodeNs: nanoseconds(count, encode),
    decodeNs: nanoseconds(count, decode),
    datagramNs: nanoseconds(count, (i) => to(i % 8)),
    hmacNs: nanoseconds(count, () => createHmac("sha256", secret).update(signed).digest()),
  };
}

/** A buffer that a direct read accepts: its address is not told, so offsets are tried. */
function directBuffer(file, bytes, at) {
  const all = Buffer.alloc(bytes + 2 * blockBytes);
  for (let offset = 0; offset < blockBytes; offset += 8) {
    const part = all.subarray(offset, offset + bytes);
    try {
      readSync(file, part, 0, blockBytes, at);
      return part;
    } catch {
      // not aligned: the next
    }
  }
  throw new Error("no aligned buffer");
}

async function polls() {
  const opened = await openVolume(io, {
    path: device,
    access: "write",
    deadlineMs,
    mac: keys.mac,
    keyIds: keys.ids(),
    cluster: null,
    writerSite: null,
    readerSite: null,
    wwid: null,
    dataDevices: [],
  });
  const { volume } = orThrow(opened);
  const poller = recordAreaPoller(io, volume, slots);
  const open = slotOpener(volume, 1, keys, null);
  const lane = volume.device.lane(blockBytes);
  const at = volume.plan.recordBlock * blockBytes;
  const bytes = 2 * slots * blockBytes;
  const file = openSync(device, constants.O_RDONLY | constants.O_DIRECT);
  const buffer = directBuffer(file, bytes, at);
  let serial = 1n;

  const writeSlots = async (count) => {
    serial += 1n;
    const copy = Number(serial & 1n);
    for (let i = 0; i < count; i++) {
      const slot = Math.floor((i * slots) / count);
      const block = recordBlockOf(volume.plan, slot, copy);
      const writer = { clusterId: volume.clusterId, siteId: 1, slot };
      const place = { volumeId: volume.volumeId, block, copy };
      encodeRecordBlock(lane.bytes, place, writer, bodyOf(serial), noEcho, keys.sealing());
      const end = await lane.write(block * blockBytes, blockBytes, deadlineMs);
      if (end.kind !== "done") throw new Error(`write: ${end.kind}`);
    }
  };
  const poll = async (expected) => {
    const began = performance.now();
    const reading = await poller.poll(deadlineMs);
    if (reading.kind !== "read") throw new Error(`poll: ${reading.kind}`);
    const { seen, rejected } = open(reading);
    const ms = performance.now() - began;
    if (seen.length !== expected || rejected.length > 0) {
      throw new Error(`poll: ${seen.length} slots of ${expected}, rejected ${rejected[0]}`);
    }
    return ms;
  };
  const bare = () => {
    const began = performance.now();
    if (readSync(file, buffer, 0, bytes, at) !== bytes) throw new Error("short read");
    return performance.now() - began;
  };
  await writeSlots(slots);
  await writeSlots(slots);
  await poll(slots);
  const changes = [0, 20, 200, 2000];
  const times = Object.fromEntries(changes.map((count) => [count, []]));
  const bareTimes = [];
  for (let round = 0; round <= rounds; round++) {
    for (const count of changes) {
      await poll(0); // what went before (2,000 decodings) must not weigh on this one
      await writeSlots(Math.min(count, slots));
      const ms = await poll(Math.min(count, slots));
      const bareMs = bare();
      if (round === 0) continue; // the first warms up
      times[count].push(ms);
      bareTimes.push(bareMs);
    }
  }
  closeSync(file);
  await volume.device.close();
  return {
    slots,
    bytes,
    bareMs: median(bareTimes),
    pollMs: Object.fromEntries(changes.map((count) => [count, median(times[count])])),
  };
}

async function main() {
  const result = { engine: io.engine, codec: codec(), poll: device ? await polls() : null };
  io.close();
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

void main();
