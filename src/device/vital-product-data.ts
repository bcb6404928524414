/**
 * SCSI vital product data page 0x83: the names by which the world knows a volume.
 *
 * A page is a list of designators, each naming the volume, the port or the target device in one of
 * several schemes. Only names of the volume itself count here, and the one that is unique in the
 * world is preferred. Everything comes from the device, so nothing of it is believed unchecked.
 */
export type Designator = {
  readonly scheme: "naa" | "eui" | "t10" | "name";
  readonly text: string;
};

const schemes = { 1: "t10", 2: "eui", 3: "naa", 8: "name" } as const;
const preference = ["naa", "eui", "t10", "name"] as const;
const pageCode = 0x83;
const headerBytes = 4;
const ofTheVolume = 0;
const binary = 1;

function designatorAt(page: Buffer, at: number, length: number): Designator | null {
  const codeSet = (page[at] ?? 0) & 0x0f;
  const association = ((page[at + 1] ?? 0) >> 4) & 3;
  const type = (page[at + 1] ?? 0) & 0x0f;
  if (association !== ofTheVolume || length === 0) return null;
  const scheme = (schemes as Readonly<Record<number, Designator["scheme"]>>)[type];
  if (scheme === undefined) return null;
  const bytes = page.subarray(at + headerBytes, at + headerBytes + length);
  if (codeSet === binary) return { scheme, text: bytes.toString("hex") };
  const text = bytes.toString("utf8").replaceAll("\0", "").trim().replaceAll(/\s+/g, " ");
  return text === "" ? null : { scheme, text };
}

/** The volume's designators in the order of the page; empty if it is no such page. */
export function parseDesignators(page: Buffer): readonly Designator[] {
  if (page.length < headerBytes || page[1] !== pageCode) return [];
  const end = Math.min(page.length, headerBytes + page.readUInt16BE(2));
  const found: Designator[] = [];
  for (let at = headerBytes; at + headerBytes <= end; ) {
    const length = page[at + 3] ?? 0;
    if (at + headerBytes + length > end) break;
    const designator = designatorAt(page, at, length);
    if (designator) found.push(designator);
    at += headerBytes + length;
  }
  return found;
}

/** "naa.60060e80…", or null if the page names no volume. */
export function worldWideName(page: Buffer): string | null {
  const designators = parseDesignators(page);
  for (const scheme of preference) {
    const match = designators.find((designator) => designator.scheme === scheme);
    if (match) return `${match.scheme}.${match.text}`;
  }
  return null;
}
