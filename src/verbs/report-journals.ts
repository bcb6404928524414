/**
 * Journals as `report` takes them in: of the configured host, or any files that were collected. A
 * line that is torn or foreign is passed over and counted; that no line tells whose journal it is
 * refuses it, for a picture with the wrong name is worse than none.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { isTold } from "../console/timeline/fold.ts";
import { plain, type Told } from "../console/timeline/model.ts";
import { durationText } from "../console/timeline/times.ts";
import { parseEventLine } from "../core/base/event.ts";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { journalFile, journalFileOld } from "../host/journal.ts";

/** A journal of the agent is bounded too; more than this is no journal. */
const fileBytesMax = 256 << 20;

export type Source = {
  /** In the order of their lines: the older file first. */
  readonly files: readonly string[];
  readonly host: string | null;
  readonly site: string | null;
  /** As it was asked for. */
  readonly named: string;
};

export type Collected = {
  readonly told: readonly Told[];
  readonly files: readonly string[];
  readonly notes: readonly string[];
};

const refusal = (code: Refusal["code"], message: string): Refusal => ({ code, message });

const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);

/** A path that was named: a journal, or a folder with the two that an agent writes. */
export function sourceOf(wish: string): Source | Refusal {
  const named = /^([\w.-]+)=(.+)$/.exec(wish);
  const host = named?.[1] ?? null;
  const file = named?.[2] ?? wish;
  if (file === "") return refusal(exitCodes.usage, "--journal is empty: name a file");
  const what = `--journal ${plain(wish, 120)}`;
  try {
    const facts = statSync(file);
    if (facts.isDirectory()) {
      const inside = new Set(readdirSync(file));
      const files = [journalFileOld, journalFile].filter((name) => inside.has(name));
      if (files.length === 0)
        return refusal(exitCodes.noInput, `${what}: no ${journalFile} in this folder; name a file`);
      return { files: files.map((name) => path.join(file, name)), host, site: null, named: what };
    }
    if (!facts.isFile())
      return refusal(exitCodes.noInput, `${what}: not a plain file; copy the journal to one first`);
    return { files: [file], host, site: null, named: what };
  } catch (error) {
    const code = errorCode(error);
    if (code === "EACCES")
      return refusal(exitCodes.noPermission, `${what}: not permitted; run as the agent's user`);
    return refusal(exitCodes.noInput, `${what}: not found (${code}); name a journal, or HOST=FILE`);
  }
}

/** The journal of the host that the configuration is of. */
export function sourceOfFolder(folder: string, host: string, site: string): Source | Refusal {
  const source = sourceOf(folder);
  if (!("code" in source)) return { ...source, host, site, named: folder };
  if (source.code === exitCodes.noPermission)
    return { ...source, message: `${folder}: not permitted; run as the agent's user` };
  return refusal(
    exitCodes.noInput,
    `${folder}: no journal; has an agent run here? else name one by --journal FILE`,
  );
}

type Line = { readonly atMs: number; readonly fields: Record<string, string> };
type Parsed = { readonly lines: readonly Line[]; passedOver: number; readonly repeated: number };

/** Files of one host: a line that stands in two of them (a copy of a copy) counts once. */
function parseFiles(texts: readonly string[]): Parsed {
  const lines: Line[] = [];
  const before = new Set<string>();
  let passedOver = 0;
  let repeated = 0;
  texts.forEach((text, index) => {
    const own: string[] = [];
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const event = parseEventLine(line);
      const atMs = event ? Date.parse(event.time) : Number.NaN;
      // The last line, if no newline ends it, may be torn anywhere: even within a value.
      if (!event || Number.isNaN(atMs) || !isTold(event.fields)) passedOver += 1;
      else if (before.has(line)) repeated += 1;
      else {
        lines.push({ atMs, fields: event.fields });
        if (index < texts.length - 1) own.push(line);
      }
    }
    for (const line of own) before.add(line);
  });
  return { lines, passedOver, repeated };
}

/** The text without what stands after the last newline: a line that was torn as it was written. */
function wholeText(text: string): { readonly text: string; readonly torn: number } {
  const end = text.lastIndexOf("\n") + 1;
  return { text: text.slice(0, end), torn: end < text.length ? 1 : 0 };
}

function readWhole(file: string, named: string): string | Refusal {
  try {
    if (statSync(file).size > fileBytesMax)
      return refusal(
        exitCodes.dataError,
        `${named}: ${file} is larger than ${fileBytesMax >> 20} MiB; give a part of it`,
      );
    return readFileSync(file, "utf8");
  } catch (error) {
    return refusal(exitCodes.noInput, `${named}: ${file} cannot be read (${errorCode(error)})`);
  }
}

const isStart = ({ fields }: Line): boolean => fields["ev"] === "start" && "host" in fields;

type OfHost = { readonly told: readonly Told[]; readonly notes: readonly string[] };

function clockNotes(host: string, lines: readonly Line[]): string[] {
  let backMs = 0;
  let atMs = 0;
  lines.forEach((line, at) => {
    const by = (lines[at - 1]?.atMs ?? line.atMs) - line.atMs;
    if (by <= backMs) return;
    backMs = by;
    atMs = line.atMs;
  });
  // A few milliseconds are how a clock is kept.
  if (backMs < 1000) return [];
  const when = new Date(atMs).toISOString();
  return [
    `the clock of ${host} went back by ${durationText(backMs)} to ${when}: order is by clock`,
  ];
}

/** Whose each line is: of the host that was named, else of the start before it. */
function attributed(source: Source, parsed: Parsed): OfHost | Refusal {
  const { lines } = parsed;
  const first = lines.find(isStart);
  const other = lines.find(
    (line) => isStart(line) && source.host !== null && line.fields["host"] !== source.host,
  );
  if (other)
    return refusal(
      exitCodes.dataError,
      `${source.named}: field host of its start is '${plain(other.fields["host"] ?? "", 60)}', ` +
        `not '${source.host}'; name the journal of that host`,
    );
  let host = source.host ?? first?.fields["host"];
  if (host === undefined)
    return refusal(
      exitCodes.dataError,
      `${source.named}: no start line tells the host; say whose it is: --journal HOST=FILE`,
    );
  let site = source.site ?? first?.fields["site"] ?? "";
  const told = lines.map((line): Told => {
    if (isStart(line)) {
      host = line.fields["host"] ?? host;
      site = line.fields["site"] ?? site;
    }
    return { host: host ?? "", site, atMs: line.atMs, fields: line.fields };
  });
  return { told, notes: clockNotes(plain(host, 60), lines) };
}

function readSource(source: Source): (OfHost & { passedOver: number; repeated: number }) | Refusal {
  const texts: string[] = [];
  let torn = 0;
  for (const file of source.files) {
    const text = readWhole(file, source.named);
    if (typeof text !== "string") return text;
    const whole = wholeText(text);
    torn += whole.torn;
    texts.push(whole.text);
  }
  const parsed = parseFiles(texts);
  if (parsed.lines.length === 0)
    return refusal(
      exitCodes.dataError,
      `${source.named}: no event line in it; is it a journal of mirrorbeat?`,
    );
  const ofHost = attributed(source, parsed);
  if ("code" in ofHost) return ofHost;
  return { ...ofHost, passedOver: parsed.passedOver + torn, repeated: parsed.repeated };
}

/** Of a host that was named more than once all files are one journal. */
function grouped(sources: readonly Source[]): readonly Source[] {
  const byHost = new Map<string, Source>();
  sources.forEach((source, at) => {
    const key = source.host ?? `#${at}`;
    const known = byHost.get(key);
    byHost.set(key, known ? { ...source, files: [...known.files, ...source.files] } : source);
  });
  return [...byHost.values()];
}

export function collect(sources: readonly Source[]): Collected | Refusal {
  const told: Told[] = [];
  const notes: string[] = [];
  let passedOver = 0;
  let repeated = 0;
  for (const source of grouped(sources)) {
    const read = readSource(source);
    if ("code" in read) return read;
    for (const each of read.told) told.push(each);
    notes.push(...read.notes);
    passedOver += read.passedOver;
    repeated += read.repeated;
  }
  told.sort((a, b) => a.atMs - b.atMs);
  const hosts = new Set(told.map(({ host }) => host));
  if (hosts.size > 1) notes.push("times are each host's own clock; between hosts these may differ");
  if (passedOver > 0)
    notes.push(`${passedOver} lines passed over: torn, or not of this program's events`);
  if (repeated > 0) notes.push(`${repeated} lines stood in two files and count once`);
  return { told, files: sources.flatMap(({ files }) => files.map(realPath)), notes };
}

export function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}
