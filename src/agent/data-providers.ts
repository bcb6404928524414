/** The data groups as this site has them: its end, its device, its provider. */
import type { DataGroupConfig } from "../core/base/config.ts";
import type { MirrorEnd } from "../remotecopy/evidence.ts";
import { type OpenPair, openProvider } from "../remotecopy/open-provider.ts";

export type DataPair = {
  readonly name: string;
  /** The device that the service writes at this site. */
  readonly device: string;
  readonly pair: OpenPair;
};

export type DataPairFound =
  | { readonly ok: true; readonly pair: DataPair }
  | { readonly ok: false; readonly reason: string };

/** Finds a group's pair; a provider is kept for as long as its settings are the same. */
export type DataPairOpener = (site: string, group: DataGroupConfig) => Promise<DataPairFound>;

function endAt(site: string, { writer, reader }: DataGroupConfig): MirrorEnd | null {
  return writer === site ? "writer" : reader === site ? "reader" : null;
}

export function dataPairOpener(nowMs: () => number): DataPairOpener {
  const kept = new Map<string, { settings: string; opened: Promise<OpenPair | null> }>();
  return async (site, group) => {
    const refuse = (reason: string): DataPairFound => ({ ok: false, reason });
    const { name, pvol, svol, pair } = group;
    const end = endAt(site, group);
    if (!end) return refuse(`site ${site} has no end of it; correct its [[data]]`);
    if (pair.provider === "none") return refuse("it has no provider; name one in [data.pair]");
    const settings = JSON.stringify([end, pvol, svol, pair]);
    const known = kept.get(name);
    const opened = known?.settings === settings ? known.opened : openProvider(group, end, nowMs);
    kept.set(name, { settings, opened });
    const open = await opened;
    if (!open) return refuse("it has no provider; name one in [data.pair]");
    return { ok: true, pair: { name, device: end === "writer" ? pvol : svol, pair: open } };
  };
}
