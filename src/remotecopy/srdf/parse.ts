/**
 * What Solutions Enabler says of a device group, element by element. An element that matters and
 * is missing, there twice or empty gives null: a group is understood whole or not at all.
 */
import { childOf, childrenOf, type Element, readXml, textAt } from "./xml.ts";

export type RdfPair = {
  /** Device numbers at the ends, as the query names them. */
  readonly source: string;
  readonly target: string;
  readonly mode: string;
  readonly pairState: string;
};

export type GroupQuery = {
  readonly name: string;
  /** RDF1, RDF2, or something else that is not supported. */
  readonly type: string;
  /** At least one. */
  readonly pairs: readonly RdfPair[];
};

const deviceText = /^[0-9A-F]{3,6}$/;

function onlyGroup(text: string): Element | null {
  const root = readXml(text);
  return root?.name === "SymCLI_ML" ? childOf(root, "DG") : null;
}

function pairOf(element: Element): RdfPair | null {
  const source = textAt(element, "Source", "dev_name");
  const target = textAt(element, "Target", "dev_name");
  const mode = textAt(element, "mode");
  const pairState = textAt(element, "pair_state");
  if (source === null || target === null || mode === null || pairState === null) return null;
  if (!deviceText.test(source) || !deviceText.test(target)) return null;
  return { source, target, mode, pairState };
}

/** `symrdf -g GROUP -rdfg N query -output xml_e` */
export function parseQuery(text: string): GroupQuery | null {
  const group = onlyGroup(text);
  const name = group && textAt(group, "DG_Info", "name");
  const type = group && textAt(group, "DG_Info", "type");
  if (!group || !name || !type) return null;
  const pairs: RdfPair[] = [];
  const seen = new Set<string>();
  for (const element of childrenOf(group, "RDF_Pair")) {
    const pair = pairOf(element);
    if (!pair || seen.has(pair.source)) return null;
    seen.add(pair.source);
    pairs.push(pair);
  }
  return pairs.length > 0 ? { name, type, pairs } : null;
}

/** `symdg -g GROUP list ld -output xml_e`: the group's devices at this end. */
export function parseDevices(text: string): readonly string[] | null {
  const group = onlyGroup(text);
  if (!group) return null;
  const names = childrenOf(group, "Device").map((one) => textAt(one, "Dev_Info", "dev_name"));
  return allDevices(names);
}

function allDevices(names: readonly (string | null)[]): readonly string[] | null {
  const known = names.filter((name) => name !== null && deviceText.test(name)) as string[];
  const whole = known.length === names.length && new Set(known).size === known.length;
  return whole && known.length > 0 ? known.toSorted() : null;
}

export type InquiredDevice = {
  readonly path: string;
  readonly device: string;
  readonly symid: string;
};

/** `syminq -identifier device_name -output xml_e`: the array's devices that this host sees. */
export function parseInquiry(text: string): readonly InquiredDevice[] | null {
  const root = readXml(text);
  const inquiries = root?.name === "SymCLI_ML" ? childrenOf(root, "Inquiry") : [];
  const found: InquiredDevice[] = [];
  for (const inquiry of inquiries) {
    const path = textAt(inquiry, "Dev_Info", "pd_name");
    const device = textAt(inquiry, "Dev_Info", "dev_name");
    const symid = textAt(inquiry, "Dev_Info", "symid");
    // A device of another make may lack any of these: it is none of the group's.
    if (path === null || device === null || symid === null) continue;
    if (/^\d{12}$/.test(symid) && deviceText.test(device)) found.push({ path, device, symid });
  }
  return found.length > 0 ? found : null;
}
