/** Sites and their hosts: reading, and what must hold between them. */
import { isIP } from "node:net";
import type { HostConfig, SiteConfig } from "../core/base/config.ts";
import { nameFault, type Reading, Section } from "./config-read.ts";
import { shown } from "./config-text.ts";
import type { TableNode } from "./config-tree.ts";

/**
 * A value as read: a field that is never null when configured is null only after a fault was
 * noted for it. A reading without faults is therefore complete.
 */
export type Draft<T> = { readonly [Key in keyof T]: T[Key] | null };

export type HostDraft = Draft<HostConfig> & { readonly label: string };
export type SiteDraft = Draft<Omit<SiteConfig, "hosts">> & {
  readonly label: string;
  readonly hosts: readonly HostDraft[];
};

/** Slots of one volume are at most this many. */
const slotMax = 4095;
const generalAddresses = ["0.0.0.0", "::", "::0"];

/** Dotted name of a table in an array: by its `name` where that is usable, else by its number. */
export function labelOf(list: string, table: TableNode, index: number, used: Set<string>): string {
  const name = table.entries.get("name");
  const isUsable = name?.kind === "text" && nameFault(name.value) === null;
  const label = isUsable ? `${list}.${name.value}` : `${list}.#${index + 1}`;
  if (used.has(label)) return `${list}.#${index + 1}`;
  used.add(label);
  return label;
}

/** Notes a fault for each value that an earlier field has already. */
export function refuseRepeats(
  reading: Reading,
  entries: readonly { readonly field: string; readonly value: string | number | null }[],
  remedy: string,
): void {
  const first = new Map<string | number, string>();
  for (const { field, value } of entries) {
    if (value === null) continue;
    const earlier = first.get(value);
    if (earlier === undefined) {
      first.set(value, field);
      continue;
    }
    const text = typeof value === "string" ? shown(value) : String(value);
    reading.fault(
      field,
      `${text} is taken by ${earlier}${reading.whereIs(earlier, field)}; ${remedy}`,
    );
  }
}

type Address = { readonly host: string; readonly port: number };

function addressFault(text: string): string | null {
  if (isIP(text) === 6) return `${shown(text)} has no port; write "[${text}]:7789"`;
  if (isIP(text) === 4) return `${shown(text)} has no port; write "${text}:7789"`;
  const address = splitAddress(text);
  if (!address) return `${shown(text)} is no address; write "10.0.8.11:7789" or "[::1]:7789"`;
  if (isIP(address.host) === 0) {
    return `${shown(text)} is no IP address; names are not resolved, as DNS may be down`;
  }
  if (generalAddresses.includes(address.host)) {
    return `${shown(text)} is every address; peers need the one to send to`;
  }
  if (address.port < 1 || address.port > 65535) {
    return `port ${address.port} is out of range; write 1 to 65535`;
  }
  return null;
}

function splitAddress(text: string): Address | null {
  const found = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,6})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  return host === undefined ? null : { host: host.toLowerCase(), port: Number(found?.[3]) };
}

/** A witness is a beacon for all others: it never holds the service, and it always takes part. */
function readWitnessFlags(section: Section): { beacon: boolean; enabled: boolean } {
  if (!section.flag("beacon", true)) {
    section.fault("beacon", "false, but a witness never holds the service; remove this line");
  }
  if (!section.flag("enabled", true)) {
    section.fault("enabled", "false, but a witness always takes part; remove this line");
  }
  return { beacon: true, enabled: true };
}

function readHost(
  reading: Reading,
  table: TableNode,
  label: string,
  site: Pick<SiteDraft, "name" | "role">,
): HostDraft {
  const section = new Section(reading, table, label, "[[sites.hosts]]");
  const address = section.has("address")
    ? section.checkedText("address", "10.0.8.11:7789", null, addressFault)
    : null;
  const flags =
    site.role === "witness"
      ? readWitnessFlags(section)
      : { beacon: section.flag("beacon", false), enabled: section.flag("enabled", true) };
  if (site.role === "witness" && !section.has("address")) {
    section.fault("address", 'missing; a witness is reached by the network: add "10.0.7.11:7789"');
  }
  return {
    label,
    site: site.name,
    name: section.name("name", "ctl-a1"),
    slot: section.whole("slot", 0, slotMax, null),
    address: address === null ? null : splitAddress(address),
    ...flags,
  };
}

function readSite(reading: Reading, table: TableNode, label: string): SiteDraft {
  const section = new Section(reading, table, label, "[[sites]]");
  const name = section.name("name", "tokyo");
  const used = new Set<string>();
  const id = section.whole("id", 1, 255, null);
  const role = section.choice("role", ["production", "standby", "witness"], null);
  return {
    label,
    name,
    id,
    role,
    quorum: section.whole("quorum", 1, slotMax + 1, 1),
    hosts: section.tablesOf("hosts", "[[sites.hosts]]").map((host, index) => {
      const hostLabel = labelOf(`${label}.hosts`, host, index, used);
      return readHost(reading, host, hostLabel, { name, role });
    }),
  };
}

function checkSite(reading: Reading, site: SiteDraft): void {
  const slots = site.hosts.map(({ label, slot }) => ({ field: `${label}.slot`, value: slot }));
  refuseRepeats(reading, slots, "give each host of a site a slot of its own");
  if (site.role === "witness") return checkWitness(reading, site);
  const able = site.hosts.filter((host) => host.beacon === false);
  const enabled = able.filter((host) => host.enabled === true).length;
  if (able.length === 0) {
    const why = site.hosts.length === 0 ? "has no host" : "has only beacons";
    reading.fault(site.label, `${why}; add [[sites.hosts]] with beacon = false`);
    return;
  }
  if (site.quorum === null) return;
  const room = enabled > 0 ? enabled : able.length;
  if (site.quorum > room) {
    const hosts = `${room} ${enabled > 0 ? "enabled " : ""}host${room > 1 ? "s" : ""}`;
    const message = `${site.quorum} is more than its ${hosts} (beacons do not count); write 1`;
    reading.fault(`${site.label}.quorum`, room > 1 ? `${message} to ${room}` : message);
  }
}

function checkWitness(reading: Reading, { label, hosts, quorum }: SiteDraft): void {
  if (hosts.length !== 1) {
    reading.fault(label, `${hosts.length} hosts; a witness has exactly one [[sites.hosts]]`);
  }
  if (quorum !== null && quorum > 1) {
    reading.fault(`${label}.quorum`, `${quorum}, but a witness has one host; remove this line`);
  }
}

function checkAddresses(reading: Reading, hosts: readonly HostDraft[]): void {
  const entries = hosts.map(({ label, address }) => ({
    field: `${label}.address`,
    host: address?.host ?? null,
    value: address ? `${address.host}:${address.port}` : null,
  }));
  refuseRepeats(reading, entries, "give each host an address of its own");
  const given = entries.filter(({ host }) => host !== null);
  const family = isIP(given[0]?.host ?? "");
  for (const { field, host } of given) {
    if (isIP(host ?? "") === family) continue;
    const first = given[0]?.field ?? "";
    const message = `IPv${isIP(host ?? "")}, but ${first}${reading.whereIs(first, field)} is IPv${family}; use one`;
    reading.fault(field, `${message} of the two everywhere`);
  }
}

export function readSites(reading: Reading, root: Section): readonly SiteDraft[] {
  const used = new Set<string>();
  const sites = root
    .tablesOf("sites", "[[sites]]")
    .map((table, index) => readSite(reading, table, labelOf("sites", table, index, used)));
  const hosts = sites.flatMap((site) => site.hosts);
  refuseRepeats(
    reading,
    sites.map(({ label, name }) => ({ field: `${label}.name`, value: name })),
    "name each site differently",
  );
  refuseRepeats(
    reading,
    sites.map(({ label, id }) => ({ field: `${label}.id`, value: id })),
    "give each site an id of its own",
  );
  refuseRepeats(
    reading,
    hosts.map(({ label, name }) => ({ field: `${label}.name`, value: name })),
    "host names are unique in the cluster",
  );
  checkAddresses(reading, hosts);
  for (const site of sites) checkSite(reading, site);
  checkRoles(reading, root, sites);
  return sites;
}

/** The sites that can hold the service: all but a witness. */
export function serviceSites<T extends { readonly role: string | null }>(
  sites: readonly T[],
): readonly T[] {
  return sites.filter((site) => site.role !== "witness");
}

/** `role` stands at most once among the sites. */
function refuseSecond(
  reading: Reading,
  sites: readonly SiteDraft[],
  role: "production" | "witness",
): void {
  const [first, ...others] = sites.filter((site) => site.role === role);
  for (const site of others) {
    const where = reading.whereIs(`${first?.label ?? ""}.role`, `${site.label}.role`);
    const message = `"${role}" is ${first?.label ?? ""}${where} already; write role = "standby"`;
    reading.fault(`${site.label}.role`, message);
  }
}

function checkRoles(reading: Reading, root: Section, all: readonly SiteDraft[]): void {
  refuseSecond(reading, all, "witness");
  const sites = serviceSites(all);
  if (sites.length < 2) {
    const found = sites.length === 0 ? "no site" : "one site only";
    const beside = sites.length < all.length ? " beside the witness" : "";
    if (all.length > 0 || !root.has("sites")) {
      root.fault("sites", `${found}${beside}; two or more are needed: add [[sites]]`);
    }
    return;
  }
  refuseSecond(reading, sites, "production");
  const isKnown = sites.every((site) => site.role !== null);
  if (isKnown && !sites.some((site) => site.role === "production")) {
    reading.fault("sites", 'no site has role = "production"; exactly one owns the first term');
  }
}
