/**
 * Every check of a sector by itself, each with its name, its result and what was found: for the
 * person who wants to know how a sector is bad, not only that it is. Whether it is believed is
 * decided elsewhere (core/record.ts); a test holds the two together.
 */
import { authenticity, type Place } from "../core/record.ts";
import { type Crc32c, decodeSector, type Mac, reservedNotZero } from "../core/sector/codec.ts";
import {
  crcOffset,
  formatVersion,
  keyIdOffset,
  macOffset,
  macSpanBytes,
  magics,
  media,
  sectorBytes,
  type SectorKind,
} from "../core/sector/layout.ts";
import { keyIdText } from "../host/key-file.ts";

/** `ok` is null where it could not be checked. */
export type Check = { readonly name: string; readonly ok: boolean | null; readonly found: string };

export type CheckKeys = {
  readonly crc32c: Crc32c;
  /** null without a key file: signatures are not checked then. */
  readonly mac: Mac | null;
};

const hex8 = (value: number) => value.toString(16).padStart(8, "0");

function checksumCheck(sector: Uint8Array, crc32c: Crc32c): Check {
  const view = new DataView(sector.buffer, sector.byteOffset, sectorBytes);
  const stated = view.getUint32(crcOffset, true);
  const computed = crc32c(sector.subarray(0, crcOffset));
  const ok = stated === computed;
  return {
    name: "checksum",
    ok,
    found: ok ? hex8(stated) : `stated ${hex8(stated)}, computed ${hex8(computed)}`,
  };
}

function signatureCheck(sector: Uint8Array, mac: Mac | null): Check {
  const view = new DataView(sector.buffer, sector.byteOffset, sectorBytes);
  const key = `key ${keyIdText(view.getUint32(keyIdOffset, true))}`;
  if (!mac) return { name: "MAC", ok: null, found: `not checked, ${key}` };
  switch (authenticity(sector, mac)) {
    case null:
      return { name: "MAC", ok: true, found: key };
    case "unknown-key":
      return { name: "MAC", ok: false, found: `${key} is not in the key file` };
    default:
      return { name: "MAC", ok: false, found: `does not fit ${key}` };
  }
}

function compared(name: string, found: string | number, wanted: string | number | null): Check {
  if (wanted === null) return { name, ok: null, found: String(found) };
  const ok = found === wanted;
  return { name, ok, found: ok ? String(found) : `${found}, expected ${wanted}` };
}

/** All checks of one sector that stands at `place`, in the order in which they explain most. */
export function checkSector(
  kind: SectorKind,
  sector: Uint8Array,
  place: Place,
  { crc32c, mac }: CheckKeys,
): readonly Check[] {
  const record = decodeSector(kind, sector);
  const reserved = reservedNotZero(kind, sector);
  return [
    compared("magic", record.magic, magics[kind]),
    checksumCheck(sector, crc32c),
    compared("version", record.version, formatVersion),
    compared("features", record.features, 0),
    compared("cluster", record.clusterId, place.clusterId),
    compared("volume", record.volumeId, place.volumeId),
    compared("medium", record.medium, media[place.medium]),
    compared("block", record.block, place.block),
    compared("copy", record.copy, place.copy),
    compared("slot", record.slot, place.slot),
    compared("site", record.site, place.siteId),
    signatureCheck(sector, mac),
    {
      name: "reserved",
      ok: reserved.length === 0,
      found: reserved.length === 0 ? "zero" : `not zero: ${reserved.join(" ")}`,
    },
  ];
}

/**
 * The signature function of somebody without a key: it accepts the one that stands in the sector.
 * The codec hands over the signed bytes as a view into the sector, so the MAC stands behind them.
 */
export const acceptAnyMac: Mac = (_keyId, bytes) => {
  if (bytes.length !== macSpanBytes) return null;
  return new Uint8Array(bytes.buffer, bytes.byteOffset + macOffset, 16);
};
