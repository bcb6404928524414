/**
 * The volumes that hold data: [[data]], groups whose pairs are taken over with the service, and
 * `data_devices`. None of them is ever accepted as a heartbeat volume.
 */
import path from "node:path";
import type { DataGroupConfig } from "../core/base/config.ts";
import {
  checkEnds,
  checkVolumesUsedOnce,
  type MirrorDraft,
  type VolumeUse,
  volumeUses,
} from "./config-mirrors.ts";
import { readPair } from "./config-pair.ts";
import { pathFault, type Reading, Section } from "./config-read.ts";
import { type Draft, labelOf, refuseRepeats, type SiteDraft } from "./config-sites.ts";
import { shown } from "./config-text.ts";
import type { TableNode } from "./config-tree.ts";

export type DataGroupDraft = Draft<DataGroupConfig> & { readonly label: string };

/** A record has room for the states of so many groups; so says the layout, and a test compares. */
export const dataGroupsMost = 6;
const groupIdMax = 65_535;

export function readDataDevices(root: Section): readonly string[] {
  const devices = root.texts("data_devices", '["/dev/sdb"]') ?? [];
  for (const [index, device] of devices.entries()) {
    const fault = pathFault(device, 1024);
    if (fault !== null) root.fault("data_devices", fault);
    if (devices.indexOf(device) < index) {
      root.fault("data_devices", `${shown(device)} is listed twice; remove one`);
    }
  }
  return devices;
}

function readGroup(reading: Reading, table: TableNode, label: string): DataGroupDraft {
  const section = new Section(reading, table, label, "[[data]]");
  return {
    label,
    name: section.name("name", "orders"),
    id: section.whole("id", 1, groupIdMax, null),
    writer: section.name("writer", "tokyo"),
    reader: section.name("reader", "osaka"),
    pvol: section.path("pvol", "/dev/disk/by-id/...", null),
    svol: section.path("svol", "/dev/disk/by-id/...", null),
    pair: readPair(reading, section, "data"),
  };
}

export function readDataGroups(
  reading: Reading,
  root: Section,
  sites: readonly SiteDraft[],
): readonly DataGroupDraft[] {
  const used = new Set<string>();
  const groups = root
    .tablesOf("data", "[[data]]")
    .map((table, index) => readGroup(reading, table, labelOf("data", table, index, used)));
  const valuesOf = (key: "name" | "id") =>
    groups.map((group) => ({ field: `${group.label}.${key}`, value: group[key] }));
  refuseRepeats(reading, valuesOf("name"), "name each data group differently");
  refuseRepeats(reading, valuesOf("id"), "give each data group an id of its own");
  const tooMany = groups[dataGroupsMost];
  if (tooMany) {
    const room = `data group ${dataGroupsMost + 1}; a record has room for ${dataGroupsMost}`;
    reading.fault(tooMany.label, `${room}; put several volumes into one group of the array`);
  }
  for (const group of groups) checkEnds(reading, group, sites, "a data group");
  checkVolumesUsedOnce(reading, groups);
  return groups;
}

/** `data_devices` and this site's ends of the data groups. */
export function allDataDevices(
  devices: readonly string[],
  groups: readonly DataGroupDraft[],
  ownSite: string | null,
): readonly string[] {
  const own = volumeUses(groups).filter((use) => use.site === ownSite);
  return [...new Set([...devices, ...own.map((use) => use.path)])];
}

const reservedField = "takeover.reservation_devices";

function remedyOf(where: string): string {
  const use = where === reservedField ? "never reserved" : "never a data volume";
  return `a heartbeat volume is ${use}; name another`;
}

type Known = {
  readonly devices: readonly string[];
  /** What an arbiter reserves: a reservation would stop the other site's heartbeats. */
  readonly reserved: readonly string[];
  readonly groups: readonly DataGroupDraft[];
  /** null where it is not known which host reads the file. */
  readonly ownSite: string | null;
  /** The device behind symbolic links. */
  readonly resolve: (file: string) => string;
};

/** Where the volume stands that `use` must not be; null where there is none. */
function clashOf(use: VolumeUse, { devices, reserved, groups, ownSite, resolve }: Known) {
  const listed = [
    ...devices.map((device) => ({ path: device, where: "data_devices" })),
    ...reserved.map((device) => ({ path: device, where: reservedField })),
  ];
  const paired = volumeUses(groups).filter((other) => other.site === use.site);
  const all = [...listed, ...paired.map((other) => ({ path: other.path, where: other.field }))];
  const name = path.posix.normalize(use.path);
  const plain = all.find((other) => path.posix.normalize(other.path) === name);
  if (plain || use.site !== ownSite) return plain ? { where: plain.where, target: null } : null;
  const target = resolve(use.path);
  const real = all.find((other) => resolve(other.path) === target);
  return real ? { where: real.where, target } : null;
}

export function checkDataDevices(
  reading: Reading,
  mirrors: readonly MirrorDraft[],
  known: Known,
): void {
  for (const use of volumeUses(mirrors)) {
    const clash = clashOf(use, known);
    if (!clash) continue;
    const line = reading.whereIs(clash.where, use.field);
    const isListed = clash.where === "data_devices" || clash.where === reservedField;
    const verb = `${isListed ? "is in" : "is"} ${clash.where}`;
    const link = clash.target === null ? "" : `is ${clash.target}, which `;
    reading.fault(use.field, `${shown(use.path)} ${link}${verb}${line}; ${remedyOf(clash.where)}`);
  }
}
