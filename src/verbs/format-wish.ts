/** What `format` is to make, from its options or from one mirror of the configuration. */
import type { Config, MirrorConfig } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { mailboxBlocksDefault } from "../core/sector/volume.ts";
import { configFileOf, faultLine, loadConfig } from "../host/config-file.ts";
import { nameFault } from "../host/config-read.ts";
import { type FormatWish, limits } from "../volume/format.ts";

export type FormatOptions = {
  readonly cluster?: string | undefined;
  readonly writer?: string | undefined;
  readonly reader?: string | undefined;
  readonly slots?: string | undefined;
  readonly "echo-peers"?: string | undefined;
  readonly "mailbox-blocks"?: string | undefined;
  readonly key?: string | undefined;
  readonly config?: string | undefined;
  readonly mirror?: string | undefined;
};

export type Settled = {
  readonly ok: true;
  readonly device: string;
  readonly wish: FormatWish;
  /** null where they follow the slots. */
  readonly echoPeersGiven: number | null;
  readonly keyFile: string;
  readonly wwid: string | null;
  readonly dataDevices: readonly string[];
};
export type Unsettled = { readonly ok: false; readonly code: ExitCode; readonly message: string };

const wrong = (message: string): Unsettled => ({ ok: false, code: exitCodes.usage, message });

export const slotsDefault = 8;

type Room = Pick<FormatWish, "slots" | "echoPeers" | "mailboxBlocksPerSlot"> & {
  readonly echoPeersGiven: number | null;
};

function wholeNumber(option: string, text: string, least: number, most: number) {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  return wrong(`${option} ${text}: not a whole number from ${least} to ${most}`);
}

/** `slotsMin`, `echoPeersMin`: what the configuration's hosts need. */
function roomOf(options: FormatOptions, slotsMin: number, echoPeersMin: number): Room | Unsettled {
  const read = (name: "slots" | "echo-peers" | "mailbox-blocks", least: number, most: number) => {
    const text = options[name];
    return text === undefined ? null : wholeNumber(`--${name}`, text, least, most);
  };
  const slots = read("slots", 1, limits.slots);
  if (slots !== null && typeof slots !== "number") return slots;
  const echoPeers = read("echo-peers", 1, limits.echoPeers);
  if (echoPeers !== null && typeof echoPeers !== "number") return echoPeers;
  const mailboxBlocks = read("mailbox-blocks", 1, limits.mailboxBlocks);
  if (mailboxBlocks !== null && typeof mailboxBlocks !== "number") return mailboxBlocks;
  const wanted = slots ?? Math.max(slotsDefault, slotsMin);
  if (wanted < slotsMin) return wrong(`--slots ${wanted}: the configured hosts need ${slotsMin}`);
  const peers = echoPeers ?? Math.max(wanted, echoPeersMin);
  if (peers < echoPeersMin) {
    return wrong(`--echo-peers ${peers}: the configured hosts need ${echoPeersMin}`);
  }
  return {
    slots: wanted,
    echoPeers: peers,
    echoPeersGiven: echoPeers ?? (peers > wanted ? peers : null),
    mailboxBlocksPerSlot: mailboxBlocks ?? mailboxBlocksDefault,
  };
}

function fromOptions(device: string | undefined, options: FormatOptions): Settled | Unsettled {
  const { cluster, writer, reader, key } = options;
  if (device === undefined) return wrong("which DEVICE?");
  if (cluster === undefined) return wrong("--cluster NAME is missing");
  if (writer === undefined) return wrong("--writer SITE is missing: the site whose hosts write");
  if (reader === undefined) return wrong("--reader SITE is missing: the site that reads the copy");
  if (key === undefined) return wrong("--key FILE is missing");
  for (const [option, name] of [
    ["--cluster", cluster],
    ["--writer", writer],
    ["--reader", reader],
  ] as const) {
    const fault = nameFault(name);
    if (fault !== null) return wrong(`${option}: ${fault}`);
  }
  if (writer === reader) return wrong(`--writer and --reader are both ${writer}; name two sites`);
  const room = roomOf(options, 1, 1);
  if ("ok" in room) return room;
  const { echoPeersGiven, ...sizes } = room;
  const wish = { ...sizes, cluster, writerSite: writer, readerSite: reader, timings: null };
  return { ok: true, device, wish, echoPeersGiven, keyFile: key, wwid: null, dataDevices: [] };
}

function slotsOf(config: Config, siteName: string): number {
  const hosts = config.sites.find((site) => site.name === siteName)?.hosts ?? [];
  return hosts.reduce((most, host) => Math.max(most, host.slot + 1), 1);
}

function fromMirror(
  device: string | undefined,
  options: FormatOptions,
  config: Config,
  mirror: MirrorConfig,
): Settled | Unsettled {
  if (device !== undefined && device === mirror.svol && device !== mirror.pvol) {
    const remedy = `format the PVOL ${mirror.pvol} at site ${mirror.writer}; the array copies it`;
    return wrong(`${device} is the SVOL of mirror ${mirror.name}; ${remedy}`);
  }
  if (device !== undefined && device !== mirror.pvol) {
    return wrong(`${device} is not the pvol of mirror ${mirror.name}, which is ${mirror.pvol}`);
  }
  const room = roomOf(options, slotsOf(config, mirror.writer), slotsOf(config, mirror.reader));
  if ("ok" in room) return room;
  const { echoPeersGiven, ...sizes } = room;
  const { timing, cluster, keyFile, dataDevices } = config;
  const { intervalMs, pollMs, marginMs, latencyMs, readLimitMs, leaseMs, watchdogMs } = timing;
  return {
    ok: true,
    device: mirror.pvol,
    wish: {
      ...sizes,
      cluster,
      writerSite: mirror.writer,
      readerSite: mirror.reader,
      timings: { intervalMs, pollMs, marginMs, latencyMs, readLimitMs, leaseMs, watchdogMs },
    },
    echoPeersGiven,
    keyFile: options.key ?? keyFile,
    wwid: mirror.pvolWwid,
    dataDevices,
  };
}

/** What is to be made, or what is missing or wrong. */
export function settleWish(
  device: string | undefined,
  options: FormatOptions,
  env: NodeJS.ProcessEnv,
): Settled | Unsettled {
  if (options.config === undefined && options.mirror === undefined) {
    return fromOptions(device, options);
  }
  const twice = (["cluster", "writer", "reader"] as const).find((name) => options[name]);
  if (twice) return wrong(`--${twice} stands in the configuration; leave it out, or --config`);
  const file = configFileOf(options.config, env);
  const loaded = loadConfig({ file, host: null, anyHost: true });
  if (!loaded.ok) {
    const [first] = loaded.faults;
    const more = loaded.faults.length > 1 ? `; and ${loaded.faults.length - 1} more` : "";
    const message = `${first ? faultLine(first) : file}${more}; see: mirrorbeat config check`;
    return { ok: false, code: loaded.code, message };
  }
  const { config } = loaded;
  const mirror = config.mirrors.find((candidate) => candidate.name === options.mirror);
  if (!mirror) {
    const names = config.mirrors.map((candidate) => candidate.name).join(", ") || "none";
    const given = options.mirror === undefined ? "--mirror NAME is missing" : "no such mirror";
    return wrong(`${given}; ${file} has: ${names}`);
  }
  return fromMirror(device, options, config, mirror);
}
