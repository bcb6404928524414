/**
 * From configuration files to the effective configuration: one main file, and conf.d/*.toml beside
 * it in the order of their names. Every fault is gathered; each is one line that names file, line,
 * field, value and remedy. One file may serve all hosts of a cluster: which of them reads it is
 * told by the command line, by `host`, or by the machine's name.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Config, isLeased, policies } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import {
  allDataDevices,
  checkDataDevices,
  readDataDevices,
  readDataGroups,
} from "./config-data.ts";
import { type MirrorDraft, readMirrors } from "./config-mirrors.ts";
import { socketPathMax } from "./config-pair.ts";
import { checkPolicy, hasSeveralHosts, mayServe } from "./config-policy.ts";
import { nameFault, type Origin, Reading, Section } from "./config-read.ts";
import { readFencing, readHooks, readTakeover } from "./config-sections.ts";
import { readSites, type SiteDraft } from "./config-sites.ts";
import { shown } from "./config-text.ts";
import { readTiming } from "./config-timing.ts";
import {
  type ConfigFault,
  faultAt,
  mergeTables,
  parseTree,
  placeInWords,
  type TableNode,
} from "./config-tree.ts";

export type { Origin } from "./config-read.ts";
export type { ConfigFault } from "./config-tree.ts";

export const defaultConfigFile = "/etc/mirrorbeat/mirrorbeat.toml";
export const defaultKeyFile = "/etc/mirrorbeat/authkey";
const fileBytesMax = 256 * 1024;
/** Room in a socket's path for the name of the socket within the run folder. */
const socketNameMax = 24;
const journalBytesMin = 64 * 1024;
const journalBytesMost = 1024 ** 3;

export type FileRead =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: ExitCode; readonly reason: string };

/** The file system as a configuration needs it; the real one is `diskFiles`. */
export type ConfigFiles = {
  readonly read: (file: string) => FileRead;
  /** Names in a folder; none where there is no such folder. */
  readonly list: (folder: string) => readonly string[];
  /** The device behind symbolic links; the path itself where it does not exist. */
  readonly resolve: (file: string) => string;
};

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

function readFromDisk(file: string): FileRead {
  try {
    const { size } = statSync(file);
    if (size <= fileBytesMax) return { ok: true, bytes: readFileSync(file) };
    const reason = `${size} bytes; a configuration has at most ${fileBytesMax}`;
    return { ok: false, code: exitCodes.config, reason };
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") {
      return { ok: false, code: exitCodes.noInput, reason: "no such file" };
    }
    if (code === "EACCES") {
      const reason = "may not be read; run as root or change its owner";
      return { ok: false, code: exitCodes.noPermission, reason };
    }
    return { ok: false, code: exitCodes.ioError, reason: `cannot be read (${code})` };
  }
}

export const diskFiles: ConfigFiles = {
  read: readFromDisk,
  list: (folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
  resolve: (file) => {
    try {
      return realpathSync(file);
    } catch {
      return file;
    }
  },
};

export type ConfigRequest = {
  readonly file: string;
  /** From --host; null where it was not given. */
  readonly host: string | null;
  readonly hostname?: string;
  readonly files?: ConfigFiles;
  /** For verbs that need no identity: an unknown host is taken for the first one configured. */
  readonly anyHost?: boolean;
};

export type ConfigResult =
  | {
      readonly ok: true;
      readonly config: Config;
      /** By dotted field name: where the effective value came from. */
      readonly origins: ReadonlyMap<string, Origin>;
      /** The main file and those of conf.d, in the order in which they were laid over. */
      readonly files: readonly string[];
    }
  | { readonly ok: false; readonly code: ExitCode; readonly faults: readonly ConfigFault[] };

/** Which file to read: --config, else the environment, else the usual place. */
export function configFileOf(option: string | undefined, env: NodeJS.ProcessEnv): string {
  return option ?? (env["MIRRORBEAT_CONFIG"] || defaultConfigFile);
}

/** The one line of a fault. */
export function faultLine(fault: ConfigFault): string {
  const at = placeInWords({ file: fault.file, line: fault.line ?? 0 });
  return fault.field === "" ? `${at}: ${fault.message}` : `${at}: ${fault.field}: ${fault.message}`;
}

type Trees =
  | { ok: true; root: TableNode; files: readonly string[]; faults: ConfigFault[] }
  | { ok: false; code: ExitCode; faults: ConfigFault[] };

function readTrees(file: string, files: ConfigFiles): Trees {
  const folder = path.join(path.dirname(file), "conf.d");
  const parts = files.list(folder).filter((name) => name.endsWith(".toml") && name[0] !== ".");
  const names = [file, ...[...parts].sort().map((name) => path.join(folder, name))];
  const roots: TableNode[] = [];
  const faults: ConfigFault[] = [];
  let code: ExitCode = exitCodes.config;
  for (const name of names) {
    const read = files.read(name);
    if (!read.ok) {
      const create = read.code === exitCodes.noInput ? "; create it, or give --config FILE" : "";
      faults.push(faultAt({ file: name, line: 0 }, "", `${read.reason}${create}`));
      if (faults.length === 1) code = read.code;
      continue;
    }
    const tree = parseTree(name, read.bytes);
    if (tree.ok) roots.push(tree.root);
    else faults.push(...tree.faults);
  }
  const [root, ...others] = roots;
  if (faults.length > 0 || !root) return { ok: false, code, faults };
  for (const other of others) mergeTables(root, other, "", faults);
  return { ok: true, root, files: names, faults };
}

function findOwn(
  request: ConfigRequest,
  reading: Reading,
  root: Section,
  sites: readonly SiteDraft[],
) {
  const hosts = sites.flatMap((site) => site.hosts);
  const named = hosts.filter((host) => host.name !== null && host.site !== null);
  const fromFile = root.has("host") ? root.name("host", "ctl-a1") : null;
  const machine = (request.hostname ?? os.hostname()).split(".")[0]?.toLowerCase() ?? "";
  const wanted = request.host ?? fromFile ?? machine;
  const own = named.find((host) => host.name === wanted);
  if (own) {
    if (request.host !== null) reading.origins.set("host", { kind: "command line" });
    else if (fromFile === null) reading.origins.set("host", { kind: "hostname" });
    return own;
  }
  if (request.anyHost && named[0]) return named[0];
  if (named.length === 0 || (request.host === null && root.has("host") && fromFile === null)) {
    return null; // the fault that hides the hosts is told already
  }
  const known = named.map((host) => host.name).join(", ");
  if (request.host !== null) {
    const problem =
      nameFault(wanted) === null ? `no host is named ${shown(wanted)}` : nameFault(wanted);
    reading.fault("sites", `--host: ${problem}; hosts: ${known}`);
  } else if (fromFile !== null) {
    root.fault("host", `no host is named ${shown(wanted)}; hosts: ${known}`);
  } else {
    const give = 'give --host NAME or write host = "NAME"';
    root.fault("host", `this machine's name ${shown(wanted)} is no host; ${give}; hosts: ${known}`);
  }
  return null;
}

function checkSomePath(root: Section, network: boolean, mirrors: readonly MirrorDraft[]): void {
  if (network || mirrors.length > 0) return;
  root.fault("network", "no path: network = false and no mirror; add [[mirrors]] or write true");
}

function inFileOrder(faults: readonly ConfigFault[], files: readonly string[]): ConfigFault[] {
  const rank = (fault: ConfigFault) => files.indexOf(fault.file) * 1e7 + (fault.line ?? 0);
  return [...faults].sort((one, other) => rank(one) - rank(other));
}

/** Paths and sizes: what belongs to this host alone. */
function readPlaces(root: Section) {
  return {
    keyFile: root.path("key_file", defaultKeyFile, defaultKeyFile),
    runFolder: root.path(
      "run_folder",
      "/run/mirrorbeat",
      "/run/mirrorbeat",
      socketPathMax - socketNameMax,
    ),
    stateFolder: root.path("state_folder", "/var/lib/mirrorbeat", "/var/lib/mirrorbeat"),
    journalBytesMax: root.whole(
      "journal_bytes_max",
      journalBytesMin,
      journalBytesMost,
      8 * 1024 ** 2,
    ),
  };
}

/** Every field of a configuration; null only where it may be, or after a fault (see Draft). */
function readDraft(request: ConfigRequest, reading: Reading, rootTable: TableNode) {
  const root = new Section(reading, rootTable, "", "");
  const sites = readSites(reading, root);
  const mirrors = readMirrors(reading, root, sites);
  const groups = readDataGroups(reading, root, sites);
  const own = findOwn(request, reading, root, sites);
  const devices = readDataDevices(root);
  const { resolve } = request.files ?? diskFiles;
  const ownSite = own?.site ?? null;
  const takeover = readTakeover(reading, root, rootTable);
  const reserved = takeover.reservationDevices ?? [];
  checkDataDevices(reading, mirrors, { devices, reserved, groups, ownSite, resolve });
  const networkEnabled = root.flag("network", true);
  checkSomePath(root, networkEnabled, mirrors);
  const policy = root.choice("policy", policies, "operator");
  const severalHosts = hasSeveralHosts(sites);
  const timing = readTiming(reading, root, rootTable, { policy, severalHosts });
  const isArmed = policy !== null && isLeased(policy) && own !== null && mayServe(own);
  const neededBy = isArmed ? policy : null;
  const draft = {
    cluster: root.name("cluster", "bank"),
    self: { site: ownSite, host: own?.name ?? null },
    ...readPlaces(root),
    policy,
    networkEnabled,
    timing,
    sites: sites.map(({ label: _, hosts, ...site }) => ({
      ...site,
      hosts: hosts.map(({ label: __, ...host }) => host),
    })),
    mirrors: mirrors.map(({ label: _, ...mirror }) => mirror),
    dataDevices: allDataDevices(devices, groups, ownSite),
    dataGroups: groups.map(({ label: _, ...group }) => group),
    takeover,
    fencing: readFencing(reading, root, rootTable, timing, neededBy),
    hooks: readHooks(reading, root, rootTable, neededBy),
    generation: root.whole("generation", 1, Number.MAX_SAFE_INTEGER, 1),
  };
  if (policy !== null) {
    const use = { policy, sites, mirrors, groups, networkEnabled, takeover };
    checkPolicy(reading, root, use);
  }
  return draft;
}

export function loadConfig(request: ConfigRequest): ConfigResult {
  const trees = readTrees(request.file, request.files ?? diskFiles);
  if (!trees.ok) return trees;
  const reading = new Reading(trees.root.at);
  reading.faults.push(...trees.faults);
  const draft = readDraft(request, reading, trees.root);
  if (reading.faults.length > 0) {
    const faults = inFileOrder(reading.faults, trees.files);
    return { ok: false, code: exitCodes.config, faults };
  }
  return { ok: true, config: draft as Config, origins: reading.origins, files: trees.files };
}
