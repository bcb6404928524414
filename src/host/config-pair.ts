/**
 * [mirrors.pair] and [data.pair]: how the remote copy of a volume is asked and driven. What each provider may be
 * told stands in src/core/base/pair-settings.ts; a key may be given for both ends or for one.
 */
import type { PairConfig } from "../core/base/config.ts";
import {
  commonSettings,
  type EndSettings,
  pairSettings,
  type ProviderName,
  providerNames,
  type Setting,
  type SettingValue,
} from "../core/base/pair-settings.ts";
import { type Reading, Section } from "./config-read.ts";

/** A path of a local socket is at most this many bytes on Linux. */
export const socketPathMax = 107;
const textLengthMax = 200;

const ends = ["writer", "reader"] as const;

function settingsOf(provider: ProviderName): Readonly<Record<string, Setting>> {
  return { ...commonSettings, ...pairSettings[provider] };
}

/** The value that stands there; undefined where there is none, null where it is faulty. */
function readSetting(
  section: Section,
  key: string,
  setting: Setting,
): SettingValue | null | undefined {
  if (!section.has(key)) return undefined;
  switch (setting.kind) {
    case "path":
      return section.path(key, setting.example, null, socketPathMax);
    case "text":
      return section.checkedText(key, setting.example, null, (text) =>
        text.length <= textLengthMax && /^[\x20-\x7e]*$/.test(text)
          ? null
          : `write at most ${textLengthMax} printable ASCII characters`,
      );
    case "number":
      return section.whole(key, setting.min ?? 0, setting.max ?? 1_000_000, null);
    case "flag":
      return section.flag(key, false);
    case "command":
      return readCommand(section, key, setting.example);
    case "choice":
      return section.choice(key, setting.choices ?? [], null);
  }
}

function readCommand(section: Section, key: string, example: string): SettingValue | null {
  const words = section.texts(key, example);
  if (words === null || words.length > 0) return words;
  return section.fault(key, `empty; write ${example}`);
}

/** Keys that some provider knows, but not this one. */
function refuseForeignKeys(section: Section, provider: ProviderName | "none"): void {
  const known = provider === "none" ? {} : settingsOf(provider);
  for (const key of section.keys()) {
    if (key in known || key === "provider" || key === "writer" || key === "reader") continue;
    const owners = providerNames.filter((name) => key in settingsOf(name));
    if (owners.length === 0) continue; // told already as an unknown key
    const whose = owners.length > 2 ? "another provider" : `provider = "${owners.join('" or "')}"`;
    section.fault(key, `belongs to ${whose}; remove this line`);
  }
}

type EndSection = { readonly end: (typeof ends)[number]; readonly section: Section | null };

function readEnd(
  reading: Reading,
  pair: Section,
  { end, section }: EndSection,
  provider: ProviderName,
  both: ReadonlyMap<string, SettingValue | null>,
): EndSettings | null {
  const values: Record<string, SettingValue> = {};
  let whole = true;
  for (const [key, setting] of Object.entries(settingsOf(provider))) {
    const field = `${pair.label}.${end}.${key}`;
    const own = section ? readSetting(section, key, setting) : undefined;
    const shared = both.get(key);
    const value = own === undefined ? shared : own;
    if (value !== undefined && value !== null) {
      const from = own === undefined ? reading.origins.get(pair.field(key)) : undefined;
      if (from) reading.origins.set(field, from);
      values[key] = value;
    } else if (value === null) {
      whole = false; // its fault is told
    } else if (setting.fallback !== null) {
      reading.origins.set(field, { kind: "default" });
      values[key] = setting.fallback;
    } else if (!setting.optional) {
      whole = false;
      pair.fault(key, `missing for the ${end}; add ${key} = ${exampleText(setting)}`);
    }
  }
  return whole ? values : null;
}

function exampleText({ kind, example }: Setting): string {
  return kind === "number" || kind === "flag" || kind === "command" ? example : `"${example}"`;
}

/** Of which list the pair is: the name of its table's header. */
export type PairOwner = "mirrors" | "data";

/** null after a fault. */
export function readPair(reading: Reading, volume: Section, owner: PairOwner): PairConfig | null {
  const table = volume.tableOf("pair");
  if (!table) return volume.has("pair") ? null : { provider: "none" };
  const pair = new Section(reading, table, volume.field("pair"), `[${owner}.pair]`);
  const provider = pair.choice("provider", ["none", ...providerNames], null);
  const sections = ends.map((end): EndSection => {
    const own = pair.tableOf(end);
    const header = `[${owner}.pair.${end}]` as const;
    return { end, section: own ? new Section(reading, own, pair.field(end), header) : null };
  });
  if (provider === null) return null;
  refuseForeignKeys(pair, provider);
  for (const { section } of sections) if (section) refuseForeignKeys(section, provider);
  if (provider === "none") return { provider };
  const both = new Map<string, SettingValue | null>();
  for (const [key, setting] of Object.entries(settingsOf(provider))) {
    const value = readSetting(pair, key, setting);
    if (value !== undefined) both.set(key, value);
  }
  if (both.has("identity")) {
    pair.fault("identity", `belongs to one end; move it to [${owner}.pair.writer] or .reader`);
  }
  const [writer, reader] = sections.map((each) => readEnd(reading, pair, each, provider, both));
  if (!writer || !reader) return null;
  return { provider, writer, reader };
}
