/** The network path of this agent: datagrams out to peer hosts, believable ones in. */
import {
  comparePositions,
  datagramPlace,
  openSector,
  type Position,
  type Rejection,
} from "../core/record.ts";
import {
  type EchoSector,
  type HeartbeatRecord,
  sectorBytes,
  states,
} from "../core/sector/layout.ts";
import { networkPath, type RecordBody, type State } from "../core/step/state.ts";
import type { Address, Endpoint } from "../network/endpoint.ts";
import { datagramBytes, encodeDatagram, type EchoSet, type Keyring, type Writer } from "./seal.ts";

export type Received = {
  readonly record: HeartbeatRecord;
  readonly echoes: readonly EchoSector[];
};
export type Drained = {
  readonly records: readonly Received[];
  readonly rejected: readonly Rejection[];
};

type Opened =
  | { readonly ok: true; readonly received: Received }
  | { readonly ok: false; readonly reason: Rejection };

function openDatagram(bytes: Uint8Array, writer: Writer, keys: Keyring): Opened {
  if (bytes.length < datagramBytes) return { ok: false, reason: "short" };
  if (bytes.length > datagramBytes) return { ok: false, reason: "long" };
  const place = datagramPlace(writer.clusterId, writer.siteId, writer.slot);
  const record = openSector("record", bytes.subarray(0, sectorBytes), place, keys);
  if (record.kind !== "valid") {
    return { ok: false, reason: record.kind === "rejected" ? record.reason : "not-a-record" };
  }
  const { slot, site } = record.record;
  const echo = openSector(
    "echo",
    bytes.subarray(sectorBytes),
    { ...place, slot, siteId: site },
    keys,
  );
  if (echo.kind !== "valid") {
    return { ok: false, reason: echo.kind === "rejected" ? echo.reason : "not-a-record" };
  }
  const same =
    echo.record.incarnation === record.record.incarnation &&
    echo.record.serial === record.record.serial;
  if (!same) return { ok: false, reason: "forged" };
  return { ok: true, received: { record: record.record, echoes: [echo.record] } };
}

/** Whether the sender is a peer of ours, and this record newer than what its datagrams told. */
function placeInHistory(state: State, record: HeartbeatRecord): Rejection | null {
  const peer = state.peers.find((p) => p.siteId === record.site && p.host.slot === record.slot);
  if (!peer) return "wrong-site";
  if (peer.host.name !== record.hostName) return "wrong-host";
  const newest = peer.sightings[networkPath]?.position ?? peer.marks[networkPath];
  return newest && comparePositions(record, newest) <= 0 ? "replayed" : null;
}

/** What is said with a last record on a path. */
const lastWords = new Set<number>([states.leaving, states.disabled, states.handover]);

/** A farewell is sent more than once, for it may be lost: hearing it again is no replay. */
function isFarewellAgain(
  state: State,
  records: readonly Received[],
  record: HeartbeatRecord,
): boolean {
  if (!lastWords.has(record.state)) return false;
  const isIt = (other: Position | undefined): boolean =>
    other !== undefined && comparePositions(other, record) === 0;
  const peer = state.peers.find((p) => p.siteId === record.site && p.host.slot === record.slot);
  return (
    isIt(peer?.sightings[networkPath]?.position ?? undefined) ||
    records.some(
      ({ record: one }) => one.site === record.site && one.slot === record.slot && isIt(one),
    )
  );
}

/** A repeat, or an older one, of what came earlier in the same drain. */
function repeatIn(records: readonly Received[], record: HeartbeatRecord): Rejection | null {
  const known = records.findLast(
    (r) => r.record.site === record.site && r.record.slot === record.slot,
  );
  return known && comparePositions(record, known.record) <= 0 ? "replayed" : null;
}

/** Opens what was received since the last drain; what cannot be believed is told by reason. */
export function drainLan(endpoint: Endpoint, state: State, writer: Writer, keys: Keyring): Drained {
  const records: Received[] = [];
  const rejected: Rejection[] = [];
  // The endpoint's queue bounds how many there are, so a flood cannot hold the loop for long.
  for (const bytes of endpoint.drain()) {
    const opened = openDatagram(bytes, writer, keys);
    if (!opened.ok) {
      rejected.push(opened.reason);
      continue;
    }
    const { record } = opened.received;
    if (isFarewellAgain(state, records, record)) continue;
    const reason = placeInHistory(state, record) ?? repeatIn(records, record);
    if (reason) rejected.push(reason);
    else records.push(opened.received);
  }
  return { records, rejected };
}

export type Addressee = {
  readonly address: Address;
  readonly siteId: number;
  readonly slot: number;
  readonly site: string;
};

/** Every enabled peer host with an address; or the one that is named, enabled or not. */
export function addressees(state: State, onlyTo: string | null): readonly Addressee[] {
  return state.peers
    .filter((peer) => (onlyTo === null ? peer.enabled : peer.host.name === onlyTo))
    .flatMap(({ host, siteId }) => {
      const { address, slot, site } = host;
      return address ? [{ address, siteId, slot, site }] : [];
    });
}

/** Sends this record to the given hosts, each under its own address and with its own echo. */
export function sendLan(
  endpoint: Endpoint,
  to: readonly Addressee[],
  writer: Writer,
  body: RecordBody,
  echoes: (site: string) => EchoSet,
  keys: Keyring,
): void {
  const sealing = keys.sealing();
  for (const host of to) {
    endpoint.send(encodeDatagram(host, writer, body, echoes(host.site), sealing), host.address);
  }
}
