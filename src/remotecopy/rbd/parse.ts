/**
 * What `rbd info` and `rbd mirror image status` say with --format json, checked word by word.
 * Invariants: nothing is thrown, whatever the text; a text that is cut, has a key twice, or lacks a
 * cell that matters gives null.
 */
import { isObject, type JsonObject } from "../../host/json-lines.ts";
import { parseObject } from "../json-object.ts";

export type MirroringInfo = {
  /** "journal" or "snapshot"; null where this release of Ceph does not tell. */
  readonly mode: string | null;
  readonly state: string;
  readonly globalId: string;
  readonly primary: boolean;
};

export type ImageInfo = {
  readonly name: string;
  readonly id: string;
  /** null: not mirrored. */
  readonly mirroring: MirroringInfo | null;
};

/** What one site's rbd-mirror daemon wrote about its own image. */
export type SiteStatus = {
  /** Whether that daemon still holds its watch in the cluster that was asked. */
  readonly up: boolean;
  readonly word: string;
  readonly description: string;
  /** Unix time of its last word; null if there was none. */
  readonly updatedMs: number | null;
};

export type ImageStatus = {
  readonly name: string;
  readonly globalId: string;
  readonly local: SiteStatus | null;
  readonly peers: readonly (SiteStatus & { readonly siteName: string })[];
};

/** All that rbd says; anything else is not understood. */
const words = ["unknown", "error", "syncing", "starting_replay", "replaying", "stopping_replay"];
const knownWords: ReadonlySet<string> = new Set([...words, "stopped"]);

const textIn = (object: JsonObject, key: string): string | null => {
  const value = object[key];
  return typeof value === "string" ? value : null;
};

export function parseInfo(text: string): ImageInfo | null {
  const object = parseObject(text);
  const name = object && textIn(object, "name");
  const id = object && textIn(object, "id");
  if (!name || !id || !/^[0-9a-f]{1,64}$/.test(id)) return null;
  const told = object["mirroring"];
  if (told === undefined) return { name, id, mirroring: null };
  if (!isObject(told)) return null;
  const state = textIn(told, "state");
  if (state === "disabled") return { name, id, mirroring: null };
  const globalId = textIn(told, "global_id");
  const { primary, mode } = told;
  if (!state || !globalId || typeof primary !== "boolean") return null;
  if (mode !== undefined && typeof mode !== "string") return null;
  return { name, id, mirroring: { mode: mode ?? null, state, globalId, primary } };
}

/**
 * "2026-01-02 03:04:05" as Unix time; undefined where it is not such a time. rbd tells it in the
 * zone of its own environment, which is made UTC for it.
 */
function timeOf(text: string | null): number | null | undefined {
  if (text === "") return null;
  if (text === null || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text)) return undefined;
  const ms = Date.parse(`${text.replace(" ", "T")}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

function siteOf(object: JsonObject): SiteStatus | null {
  const [, watch, word] = /^(up|down)\+([a-z_]+)$/.exec(textIn(object, "state") ?? "") ?? [];
  const description = textIn(object, "description");
  const updatedMs = timeOf(textIn(object, "last_update"));
  if (word === undefined || description === null || updatedMs === undefined) return null;
  if (!knownWords.has(word)) return null;
  return { up: watch === "up", word, description, updatedMs };
}

export function parseStatus(text: string): ImageStatus | null {
  const object = parseObject(text);
  const name = object && textIn(object, "name");
  const globalId = object && textIn(object, "global_id");
  if (!name || !globalId) return null;
  const silent = !("state" in object || "description" in object || "last_update" in object);
  const local = silent ? null : siteOf(object);
  if (!silent && !local) return null;
  const sites = object["peer_sites"] ?? [];
  if (!Array.isArray(sites)) return null;
  const peers: (SiteStatus & { siteName: string })[] = [];
  for (const site of sites as unknown[]) {
    const status = isObject(site) ? siteOf(site) : null;
    const siteName = isObject(site) ? textIn(site, "site_name") : null;
    if (!status || siteName === null) return null;
    peers.push({ ...status, siteName });
  }
  return { name, globalId, local, peers };
}

/** How far the copy is behind, of "replaying, {JSON}"; undefined where the text is something else. */
export function replayOf(description: string): { readonly behind: number | null } | undefined {
  if (description === "replaying") return { behind: null };
  const prefix = "replaying, ";
  if (!description.startsWith(prefix)) return undefined;
  const object = parseObject(description.slice(prefix.length));
  if (!object) return undefined;
  const behind = object["entries_behind_primary"];
  if (behind === undefined) return { behind: null };
  return typeof behind === "number" && behind >= 0 ? { behind } : undefined;
}
