/**
 * Mirrors: reading, and the checks that keep a heartbeat volume apart from data and from other
 * heartbeat volumes. A path means a device only on the hosts of one site, so two sites may use
 * the same path; one volume at both ends of a mirror would let a site read its own writing.
 */
import type { MirrorConfig } from "../core/base/config.ts";
import type { Reading } from "./config-read.ts";
import { Section } from "./config-read.ts";
import { type Draft, labelOf, refuseRepeats, type SiteDraft } from "./config-sites.ts";
import { shown } from "./config-text.ts";
import type { TableNode } from "./config-tree.ts";
import { nearest } from "./config-keys.ts";
import { readPair } from "./config-pair.ts";

export type MirrorDraft = Draft<MirrorConfig> & { readonly label: string };

/** A record lists at most 8 paths from one site to another: the network and 7 mirrors. */
export const mirrorsPerDirectionMax = 7;

function wwidFault(text: string): string | null {
  if (/^[\x21-\x7e]{1,200}$/.test(text)) return null;
  return `${shown(text)} is no identity; copy it from /sys/block/DEVICE/device/wwid or udev`;
}

function readMirror(reading: Reading, table: TableNode, label: string): MirrorDraft {
  const section = new Section(reading, table, label, "[[mirrors]]");
  const wwid = (key: "pvol_wwid" | "svol_wwid") =>
    section.has(key) ? section.checkedText(key, "naa.600...", null, wwidFault) : null;
  return {
    label,
    name: section.name("name", "a-b"),
    writer: section.name("writer", "tokyo"),
    reader: section.name("reader", "osaka"),
    pvol: section.path("pvol", "/dev/disk/by-id/...", null),
    svol: section.path("svol", "/dev/disk/by-id/...", null),
    pvolWwid: wwid("pvol_wwid"),
    svolWwid: wwid("svol_wwid"),
    enabled: section.flag("enabled", true),
    installed: section.flag("installed", true),
    answerSignals: section.flag("answer_signals", false),
    witness: section.flag("witness", false),
    pair: readPair(reading, section, "mirrors"),
  };
}

/** A mirror or a data group: a volume at each of two sites. */
type VolumePair = {
  readonly label: string;
  readonly writer: string | null;
  readonly reader: string | null;
  readonly pvol: string | null;
  readonly svol: string | null;
};

/** `what` names the thing in messages: a mirror, a data group. */
export function checkEnds(
  reading: Reading,
  pair: VolumePair,
  sites: readonly SiteDraft[],
  what: string,
): void {
  const names = sites.map((site) => site.name).filter((name) => name !== null);
  // Where a site's own name is faulty, a pair that names it right is no second fault.
  if (new Set(names).size < sites.length) return;
  for (const end of ["writer", "reader"] as const) {
    const name = pair[end];
    const site = sites.find((candidate) => candidate.name === name);
    if (site?.role === "witness") {
      const message = `${shown(site.name ?? "")} is the witness, which has no volumes; name another site`;
      reading.fault(`${pair.label}.${end}`, message);
    }
    if (name === null || site || names.length === 0) continue;
    const guess = nearest(name, names);
    const remedy =
      guess.length > 0 ? `did you mean ${guess.join(" or ")}?` : `sites: ${names.join(", ")}`;
    reading.fault(`${pair.label}.${end}`, `no site is named ${shown(name)}; ${remedy}`);
  }
  if (pair.writer !== null && pair.writer === pair.reader) {
    const message = `${shown(pair.writer)} is the writer too; ${what} joins two sites`;
    reading.fault(`${pair.label}.reader`, message);
  }
}

/** One volume that both sites reach: nothing copies it, so there is no pair to ask. */
function checkWitnessVolume(
  reading: Reading,
  { label, pair, pvolWwid, svolWwid }: MirrorDraft,
): void {
  if (pair && pair.provider !== "none") {
    const message = "a witness volume is not copied; remove [mirrors.pair], or witness = true";
    reading.fault(`${label}.pair`, message);
  }
  if (pvolWwid !== null && svolWwid !== null && pvolWwid !== svolWwid) {
    const message = "a witness volume is one volume at both sites; make svol_wwid the pvol_wwid";
    reading.fault(`${label}.svol_wwid`, message);
  }
}

function checkVolumesDiffer(reading: Reading, mirror: MirrorDraft): void {
  const { label, pvol, svol, pvolWwid, svolWwid } = mirror;
  if (mirror.witness === true) return checkWitnessVolume(reading, mirror);
  if (pvol === null || pvol !== svol) return;
  if (pvolWwid !== null && svolWwid !== null && pvolWwid !== svolWwid) return;
  const message = `${shown(svol)} is the pvol too; name the copy, or pin both by _wwid`;
  reading.fault(`${label}.svol`, message);
}

/** One volume as the hosts of a site see it. */
export type VolumeUse = { readonly field: string; readonly site: string; readonly path: string };

export function volumeUses(pairs: readonly VolumePair[]): readonly VolumeUse[] {
  return pairs.flatMap(({ label, writer, reader, pvol, svol }) => [
    ...(writer !== null && pvol !== null
      ? [{ field: `${label}.pvol`, site: writer, path: pvol }]
      : []),
    ...(reader !== null && svol !== null
      ? [{ field: `${label}.svol`, site: reader, path: svol }]
      : []),
  ]);
}

/** No volume of a site stands in two places of `pairs`. */
export function checkVolumesUsedOnce(reading: Reading, pairs: readonly VolumePair[]): void {
  const uses = volumeUses(pairs);
  for (const site of new Set(uses.map((use) => use.site))) {
    const ofSite = uses.filter((use) => use.site === site);
    const entries = ofSite.map(({ field, path }) => ({ field, value: path }));
    refuseRepeats(reading, entries, `name another volume of ${site}`);
  }
}

function checkIdentities(reading: Reading, mirrors: readonly MirrorDraft[]): void {
  const wwids = mirrors.flatMap(({ label, pvolWwid, svolWwid, witness }) => [
    { field: `${label}.pvol_wwid`, value: pvolWwid },
    ...(witness === true ? [] : [{ field: `${label}.svol_wwid`, value: svolWwid }]),
  ]);
  refuseRepeats(reading, wwids, "each volume has an identity of its own");
}

function checkDirections(reading: Reading, mirrors: readonly MirrorDraft[]): void {
  const counts = new Map<string, number>();
  for (const { label, writer, reader } of mirrors) {
    if (writer === null || reader === null) continue;
    const direction = `${writer} to ${reader}`;
    const count = (counts.get(direction) ?? 0) + 1;
    counts.set(direction, count);
    if (count !== mirrorsPerDirectionMax + 1) continue;
    const most = `a record has room for ${mirrorsPerDirectionMax}`;
    reading.fault(label, `mirror ${count} from ${direction}; ${most}; remove one`);
  }
}

/** The network path goes by this name wherever paths are named. */
const reservedName = "network";

export function readMirrors(
  reading: Reading,
  root: Section,
  sites: readonly SiteDraft[],
): readonly MirrorDraft[] {
  const used = new Set<string>();
  const mirrors = root
    .tablesOf("mirrors", "[[mirrors]]")
    .map((table, index) => readMirror(reading, table, labelOf("mirrors", table, index, used)));
  const names = mirrors.map(({ label, name }) => ({ field: `${label}.name`, value: name }));
  refuseRepeats(reading, names, "name each mirror differently");
  for (const { field, value } of names) {
    if (value === reservedName)
      reading.fault(field, `"${reservedName}" is the network path's own name; choose another`);
  }
  for (const mirror of mirrors) {
    checkEnds(reading, mirror, sites, "a mirror");
    checkVolumesDiffer(reading, mirror);
  }
  checkVolumesUsedOnce(reading, mirrors);
  checkIdentities(reading, mirrors);
  checkDirections(reading, mirrors);
  return mirrors;
}
