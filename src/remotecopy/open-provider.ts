/** From the configuration to the provider of one mirror's pair, as it stands at this site. */
import type { EndSettings, PairConfig, ProviderName } from "../core/base/pair-settings.ts";
import type { MirrorEnd } from "./evidence.ts";
import type { PairProvider } from "./provider.ts";

/** What a provider is made from. */
export type ProviderContext = {
  readonly mirror: string;
  readonly end: MirrorEnd;
  readonly own: EndSettings;
  /** Settings of the other end: addresses and names that this end must give to its array. */
  readonly peer: EndSettings;
  /** Heartbeat volume at this end, and at the other one. */
  readonly device: string;
  readonly peerDevice: string;
  /** Monotonic. */
  readonly nowMs: () => number;
};

/** Each is loaded only when it is configured. */
const makers: Readonly<
  Record<ProviderName, () => Promise<(context: ProviderContext) => PairProvider>>
> = {
  embedded: async () => (await import("./embedded.ts")).embeddedProvider,
  qemu: async () => (await import("./qemu.ts")).qemuProvider,
  drbd: async () => (await import("./drbd.ts")).drbdProvider,
  horcm: async () => (await import("./horcm.ts")).horcmProvider,
  rbd: async () => (await import("./rbd.ts")).rbdProvider,
  srdf: async () => (await import("./srdf.ts")).srdfProvider,
  vendor: async () => (await import("./vendor.ts")).vendorProvider,
  exec: async () => (await import("./exec.ts")).execProvider,
};

export type MirrorOfPair = {
  readonly name: string;
  readonly pvol: string;
  readonly svol: string;
  readonly pair: PairConfig;
};

export type OpenPair = {
  readonly provider: PairProvider;
  readonly end: MirrorEnd;
  /** The configured identity of this end; the embedded copy is known by its device. */
  readonly expected: string | null;
  readonly queryLimitMs: number;
  readonly changeLimitMs: number;
};

/** null where the mirror has no provider. */
export async function openProvider(
  mirror: MirrorOfPair,
  end: MirrorEnd,
  nowMs: () => number,
): Promise<OpenPair | null> {
  const { pair } = mirror;
  if (pair.provider === "none") return null;
  const other = end === "writer" ? "reader" : "writer";
  const device = end === "writer" ? mirror.pvol : mirror.svol;
  const peerDevice = end === "writer" ? mirror.svol : mirror.pvol;
  const own = pair[end];
  const make = await makers[pair.provider]();
  const context = { mirror: mirror.name, end, own, peer: pair[other], device, peerDevice, nowMs };
  return {
    provider: make(context),
    end,
    expected: textOf(own, "identity") ?? (pair.provider === "embedded" ? device : null),
    queryLimitMs: Number(own["query_limit_ms"]),
    changeLimitMs: Number(own["change_limit_ms"]),
  };
}

/** A setting that the configuration has checked to be a text; null where it was left out. */
export function textOf(settings: EndSettings, key: string): string | null {
  const value = settings[key];
  return typeof value === "string" ? value : null;
}

/** A setting that the configuration has checked to be a command. */
export function commandOf(settings: EndSettings, key: string): readonly string[] {
  const value = settings[key];
  return Array.isArray(value) ? value : [];
}
