/**
 * The effective configuration as TOML that can be read in again: each value with the place that
 * it came from as a comment, beside it where 80 columns allow, else above it.
 */
import type {
  Config,
  DataGroupConfig,
  HostConfig,
  MirrorConfig,
  PairConfig,
} from "../core/base/config.ts";
import type { Origin } from "../host/config-file.ts";
import { timingKeys } from "../host/config-keys.ts";
import { tomlString } from "../host/config-text.ts";

type Value = string | number | boolean | readonly string[];
type Loaded = {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, Origin>;
  readonly files: readonly string[];
};
type Line = { readonly key: string; readonly field: string; readonly value: Value | null };

const columns = 80;
const originColumn = 48;

function tomlValue(value: Value, indent: string): string {
  if (typeof value === "string") return tomlString(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const words = value.map(tomlString);
  const line = `[${words.join(", ")}]`;
  return line.length <= originColumn
    ? line
    : `[\n${indent}  ${words.join(`,\n${indent}  `)},\n${indent}]`;
}

function render({ key, value }: Line, origin: string, indent: string): string {
  if (value === null) return "";
  const text = `${indent}${key} = ${tomlValue(value, indent)}`;
  const beside = `${text.padEnd(originColumn)}  # ${origin}`;
  if (beside.length <= columns && !text.includes("\n")) return `${beside}\n`;
  return `${indent}# ${origin}\n${text}\n`;
}

/** Lines of one table; `prefix` is its dotted name with a dot at the end. */
function linesOf(prefix: string, values: Readonly<Record<string, Value | null>>): readonly Line[] {
  return Object.entries(values).map(([key, value]) => ({ key, field: `${prefix}${key}`, value }));
}

function addressText(address: HostConfig["address"]): string | null {
  if (!address) return null;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

function hostLines(host: HostConfig, prefix: string): readonly Line[] {
  return linesOf(`${prefix}.hosts.${host.name}.`, {
    name: host.name,
    slot: host.slot,
    address: addressText(host.address),
    beacon: host.beacon,
    enabled: host.enabled,
  });
}

function mirrorLines(mirror: MirrorConfig): readonly Line[] {
  return linesOf(`mirrors.${mirror.name}.`, {
    name: mirror.name,
    writer: mirror.writer,
    reader: mirror.reader,
    pvol: mirror.pvol,
    svol: mirror.svol,
    pvol_wwid: mirror.pvolWwid,
    svol_wwid: mirror.svolWwid,
    enabled: mirror.enabled,
    installed: mirror.installed,
    answer_signals: mirror.answerSignals,
    witness: mirror.witness,
  });
}

function groupLines(group: DataGroupConfig): readonly Line[] {
  const { name, id, writer, reader, pvol, svol } = group;
  return linesOf(`data.${name}.`, { name, id, writer, reader, pvol, svol });
}

function takeoverLines({ takeover }: Config): readonly Line[] {
  return linesOf("takeover.", {
    rpo_max_ms: takeover.rpoMaxMs,
    local: takeover.local,
    reservation_devices: takeover.reservationDevices,
    booth_ticket: takeover.boothTicket,
    booth_client: takeover.boothClient,
    fence_command: takeover.fenceCommand,
    arbiter_limit_ms: takeover.arbiterLimitMs,
  });
}

function fencingLines({ fencing }: Config): readonly Line[] {
  return linesOf("fencing.", {
    watchdog: fencing.watchdog,
    watchdog_limit_ms: fencing.watchdogLimitMs,
    systemd: fencing.systemd,
  });
}

/** The remote copy of a mirror or a data group. */
function pairBlocks(
  owner: "mirrors" | "data",
  { name, pair }: { readonly name: string; readonly pair: PairConfig },
): readonly Block[] {
  const prefix = `${owner}.${name}.pair.`;
  const head = (tail: string): string => `[${owner}.pair${tail}]`;
  const provider = { provider: pair.provider };
  const block = { header: head(""), indent: "  ", lines: linesOf(prefix, provider) };
  if (pair.provider === "none") return [block];
  const ends = (["writer", "reader"] as const).map((end) => {
    const lines = linesOf(`${prefix}${end}.`, pair[end]);
    return { header: head(`.${end}`), indent: "    ", lines };
  });
  return [block, ...ends];
}

function topLines(config: Config): readonly Line[] {
  return linesOf("", {
    cluster: config.cluster,
    host: config.self.host,
    key_file: config.keyFile,
    run_folder: config.runFolder,
    state_folder: config.stateFolder,
    policy: config.policy,
    network: config.networkEnabled,
    generation: config.generation,
    data_devices: config.dataDevices,
    journal_bytes_max: config.journalBytesMax,
  });
}

type Block = { readonly header: string; readonly indent: string; readonly lines: readonly Line[] };

function blocksOf(config: Config): readonly Block[] {
  const { timing, hooks } = config;
  const timingValues = Object.entries(timingKeys).map(([key, name]) => [key, timing[name]]);
  const { takeover, superseded, verdict, limitMs } = hooks;
  return [
    { header: "", indent: "", lines: topLines(config) },
    { header: "[timing]", indent: "", lines: linesOf("timing.", Object.fromEntries(timingValues)) },
    {
      header: "[hooks]",
      indent: "",
      lines: linesOf("hooks.", { takeover, superseded, verdict, limit_ms: limitMs }),
    },
    { header: "[takeover]", indent: "", lines: takeoverLines(config) },
    { header: "[fencing]", indent: "", lines: fencingLines(config) },
    ...config.sites.flatMap((site): Block[] => {
      const prefix = `sites.${site.name}`;
      const { name, id, role, quorum } = site;
      return [
        {
          header: "[[sites]]",
          indent: "",
          lines: linesOf(`${prefix}.`, { name, id, role, quorum }),
        },
        ...site.hosts.map((host) => {
          return { header: "[[sites.hosts]]", indent: "  ", lines: hostLines(host, prefix) };
        }),
      ];
    }),
    ...config.mirrors.flatMap((mirror): Block[] => {
      return [
        { header: "[[mirrors]]", indent: "", lines: mirrorLines(mirror) },
        ...pairBlocks("mirrors", mirror),
      ];
    }),
    ...config.dataGroups.flatMap((group): Block[] => {
      return [
        { header: "[[data]]", indent: "", lines: groupLines(group) },
        ...pairBlocks("data", group),
      ];
    }),
  ];
}

export function effectiveToml(loaded: Loaded, originText: (origin: Origin) => string): string {
  const origin = (field: string) => originText(loaded.origins.get(field) ?? { kind: "default" });
  const { config, files } = loaded;
  const head = [
    `# effective configuration of host ${config.self.host}, site ${config.self.site}`,
    ...files.map((file) => `# from ${tomlString(file).slice(1, -1)}`),
  ];
  const blocks = blocksOf(config).map(({ header, indent, lines }) => {
    const body = lines.map((line) => render(line, origin(line.field), indent)).join("");
    return `${header === "" ? "" : `\n${indent}${header}\n`}${body}`;
  });
  return `${head.join("\n")}\n${blocks.join("")}`;
}
