/** A survey as one plain object: what --json prints, and what the screen is made of. */
import { roles, states, type Superblock } from "../core/sector/layout.ts";
import type { BlockDevice } from "../device/block.ts";
import { keyIdText } from "../host/key-file.ts";
import { lagsOf, type EchoOfPeer } from "../volume/survey-echoes.ts";
import type { CopySurvey, SuperblockSurvey, VolumeSurvey } from "../volume/survey.ts";
import type { SlotEvidence } from "./examine-findings.ts";

const nameOf = (codes: Readonly<Record<string, number>>, code: number) =>
  Object.entries(codes).find(([, value]) => value === code)?.[0] ?? String(code);

export function deviceView({ path, geometry }: BlockDevice, engine: string) {
  const { kind, sizeBytes, logicalBytes, physicalBytes, readOnly, wwid, direct } = geometry;
  return { path, kind, sizeBytes, logicalBytes, physicalBytes, readOnly, wwid, direct, engine };
}

function superblockView({ block, look, checks, failure }: SuperblockSurvey) {
  const state = failure !== null ? "unreadable" : (look?.kind ?? "unreadable");
  const reason = look?.kind === "bad" ? look.reason : failure;
  return { block, state, reason, checks };
}

function volumeView(superblock: Superblock) {
  const { magic: _, mac: __, keyId, crc: ___, ...fields } = superblock;
  return { ...fields, keyId: keyIdText(keyId) };
}

export function superblocksView({ primary, backup, used }: VolumeSurvey) {
  return {
    primary: superblockView(primary),
    backup: superblockView(backup),
    used: used?.from ?? null,
    fields: used ? volumeView(used.superblock) : null,
  };
}

/** "ok", "empty", "unreadable", or why it is not believed. */
export function copyState({ read, opened }: CopySurvey): string {
  if (read.kind === "failed") return "unreadable";
  switch (opened.kind) {
    case "valid":
      return "ok";
    case "empty":
      return "empty";
    case "rejected":
      return opened.reason;
  }
}

function movementView({ movement, afterMs }: SlotEvidence) {
  const base = { state: movement.kind, afterMs: Math.round(afterMs) };
  if (movement.kind !== "advanced") return base;
  return { ...base, serials: movement.serials, bootClockMs: movement.bootClockMs };
}

export function slotView(evidence: SlotEvidence, nowMs: number) {
  const { slot, copies, reading } = evidence.after;
  const [a, b] = copies;
  const common = {
    slot,
    copies: { a: copyState(a), b: copyState(b) },
    second: movementView(evidence),
  };
  if (reading.kind !== "record") return { ...common, record: null };
  const { record } = reading;
  const ageMs = nowMs - Number(record.wallClockNs / 1_000_000n);
  const { hostName: host, site, incarnation, serial, term, bootId, intervalMs, flags } = record;
  return {
    ...common,
    record: {
      host,
      site,
      copy: record.copy === 0 ? ("a" as const) : ("b" as const),
      state: nameOf(states, record.state),
      role: nameOf(roles, record.role),
      incarnation,
      serial,
      term,
      bootId,
      intervalMs,
      flags,
      ageMs,
    },
  };
}

export type SlotView = ReturnType<typeof slotView>;

export function echoView({ site, slot, echo, writtenSerial }: EchoOfPeer) {
  const { incarnation, serial, nonce, receipt } = echo;
  return { site, slot, incarnation, serial, nonce, lags: lagsOf(echo), receipt, writtenSerial };
}

export type EchoView = ReturnType<typeof echoView>;

/** bigints do not fit into JSON numbers: they are strings there; bytes are hex. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "bigint" ? part.toString() : part,
  );
}
