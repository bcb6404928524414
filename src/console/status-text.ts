/** The status as people read it: ASCII, 80 columns, verdict first, the next command last. */
import type { StatusObject } from "../core/step/status.ts";
import { rightLines } from "./right-text.ts";

type Site = StatusObject["sites"][number];
type Host = Site["hosts"][number];
type Path = StatusObject["paths"][number];
type Pair = NonNullable<StatusObject["paths"][number]["pair"]>;

function span(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)}s`;
  if (ms < 600_000) return `${Math.round(ms / 1000)}s`;
  if (ms < 36_000_000) return `${Math.round(ms / 60_000)}m`;
  return `${Math.round(ms / 3_600_000)}h`;
}

function columns(widths: readonly number[], cells: readonly (string | number | null)[]): string {
  return cells
    .map((cell, i) =>
      String(cell ?? "-")
        .slice(0, widths[i])
        .padEnd(widths[i] ?? 0),
    )
    .join(" ")
    .trimEnd();
}

const lineLengthMax = 80;
const rule = "-".repeat(lineLengthMax);
/** A name of 15 and the mark of a beacon; 80 with the spaces between. */
const hostWidths = [16, 5, 9, 19, 9, 8, 8];

function verdictLines(status: StatusObject): string[] {
  return status.sites.map((site) => {
    const row = site.row ?? "-";
    const what = site.verdict ?? "not judged yet";
    const action = site.action && site.action !== "none" ? `; ${site.action}` : "";
    return `VERDICT  site ${site.site}: ${what} (row ${row})${action}`;
  });
}

/** Whether and how far behind that host sees us on a path; a loss that is stated, with its age. */
function seenCell(host: Host, path: string): string {
  const lost = host.oneWay.find((fault) => fault.path === path && fault.direction === "to");
  if (lost) return `NO ${span(lost.forMs)}`;
  const echo = host.sees.find((each) => each.path === path);
  if (!echo) return "-";
  return echo.off ? "off" : echo.lagBeats === null ? "no" : `${echo.lagBeats}`;
}

function hostLines(host: Host): string[] {
  const off = host.enabled ? "" : " (off here)";
  const seen = host.paths.map((path, index) => {
    const state = path.inUse ? path.status.toUpperCase() : "OFF";
    const name = index === 0 ? `${host.host}${host.beacon ? "*" : ""}` : "";
    const row = index === 0 ? (host.row ?? "-") : "";
    const where = path.path + (index === 0 ? off : "");
    const cells = [
      name, row, state, where, path.serial, span(path.ageMs), seenCell(host, path.path),
    ]; // biome-ignore format: one row
    return columns(hostWidths, cells);
  });
  const written = host.sees
    .filter(({ path }) => !host.paths.some((each) => each.path === path))
    .map(({ path, enabled }) => {
      const cells = ["", "", enabled ? "OUT" : "OFF", path, null, null, seenCell(host, path)];
      return columns(hostWidths, cells);
    });
  return [...seen, ...written];
}

const pathWidths = [15, 4, 14, 44];

function watchWord({ kind, installed, enabled, fit, illness }: Path): string {
  if (kind === "mirror" && installed !== "enabled") return installed ?? "not installed";
  if (!enabled) return "OFF";
  return fit ? "ok" : `unfit (${illness} of 7)`;
}

function pathLines(status: StatusObject): string[] {
  return status.paths.map((path) => {
    const state = watchWord(path);
    const fault = path.fault ?? path.failure;
    const head = columns(pathWidths, [path.path, path.direction, state, path.device ?? ""]);
    return fault ? `${head}\n${faultLine(fault)}` : head;
  });
}

function faultLine(fault: string): string {
  return `             ! ${fault}`.slice(0, lineLengthMax);
}

/** The array's own word in quotes, cut to the room that there is. */
function quoted(word: string, room: number): string {
  const inside = Math.max(4, room - 2);
  return `"${word.length > inside ? `${word.slice(0, inside - 2)}..` : word}"`;
}

/** What each pair is, as evidence: in whose words, how old, and whether it still counts. */
function pairLines(status: StatusObject): string[] {
  return status.paths.flatMap(({ path, pair }) => {
    if (!pair || pair.provider === "none") return [];
    if (pair.answer === null) return [`PAIR  ${path}  not answered yet  ${pair.provider}`];
    const percent = pair.percent === null ? "" : ` ${Math.round(pair.percent)}%`;
    const before = `PAIR  ${path}  role ${pair.role ?? "unknown"}  ${pair.answer}${percent}  `;
    const mark = pair.old ? "OLD" : pair.answer === "paired" ? "OK" : "!";
    const after = `  age ${span(pair.ageMs)}  ${mark}  ${pair.provider}`;
    const head = `${before}${quoted(pair.native || "-", lineLengthMax - before.length - after.length)}${after}`;
    return [head, ...pairFaults(pair).map(faultLine)];
  });
}

function pairFaults(pair: Pair): readonly string[] {
  const old = pair.old ? ["no younger answer: it counts as unknown"] : [];
  return pair.answer !== "paired" && pair.cause ? [pair.cause, ...old] : old;
}

/** Mirrors that show nothing of a host that beats on another one; a line each, whatever the hosts. */
function lostMirrorLines(status: StatusObject): string[] {
  const lost = status.sites
    .flatMap((site) => site.hosts)
    .filter((host) => host.enabled && host.state !== "leaving" && host.state !== "disabled")
    .filter((host) => host.paths.some(({ inUse, status }) => inUse && status === "ok"))
    .flatMap((host) =>
      host.paths
        // A network that is silent beside a live mirror has a row of its own.
        .filter((_, index) => index > 0)
        .filter(({ inUse, status }) => inUse && status !== "ok" && status !== "starting")
        .map(({ path, status: is, reason }) => ({
          what: `${path}: ${is}${reason ? ` (${reason})` : ""}`,
          host: host.host,
        })),
    );
  return [...new Set(lost.map(({ what }) => what))].map((what) => {
    const [first, ...others] = lost.filter((each) => each.what === what);
    const more = others.length > 0 ? ` and ${others.length} more` : "";
    return `${what}, for ${first?.host}${more}, seen on another path`;
  });
}

/** One line a path and direction, whatever the number of hosts. */
function oneWayLines(status: StatusObject): string[] {
  const hosts = status.sites.flatMap((site) => site.hosts);
  const faults = hosts.flatMap((host) => host.oneWay.map((fault) => ({ ...fault, host })));
  const kinds = [...new Set(faults.map(({ path, direction }) => `${path} ${direction}`))];
  return kinds.flatMap((kind) => {
    const alike = faults.filter(({ path, direction }) => `${path} ${direction}` === kind);
    const [first] = alike;
    if (!first) return [];
    const more = alike.length > 1 ? ` and ${alike.length - 1} more` : "";
    const who = `${first.host.host}${more}`;
    const since = `(${span(Math.max(...alike.map(({ forMs }) => forMs)))})`;
    const { path } = first;
    if (first.direction === "from") {
      const hears = first.host.sees.some(({ lagBeats }) => lagBeats !== null);
      const there = hears ? `, but ${more ? "hear" : "hears"} us` : "";
      return [`one-way: ${who} ${more ? "are" : "is"} not heard on ${path} ${since}${there}`];
    }
    return [`one-way: ${who} ${more ? "do" : "does"} not hear us on ${path} ${since}`];
  });
}

/** Another configuration that waits to be switched to, and a mirror on its way in or out. */
function stagedLines({ installation }: StatusObject): string[] {
  const { staged, now, generation } = installation;
  const lines = staged
    ? [
        `CONFIG   generation ${generation} in use, ${staged.generation} staged` +
          (staged.waitingFor.length > 0 ? `; ${staged.waitingFor.join(", ")}` : ": all have it"),
      ]
    : [];
  if (!now) return lines;
  const waits = now.waitingFor.length > 0 ? `; ${now.waitingFor.join(", ")}` : "";
  return [...lines, `MIRROR   ${now.mirror}: ${now.kind}, ${now.phase}${waits}`];
}

/** What is not as it should be, in words. */
function deviations(status: StatusObject): string[] {
  const lines: string[] = [];
  for (const host of status.sites.flatMap((site) => site.hosts)) {
    if (host.enabled && host.action && host.action !== "none") {
      lines.push(`${host.host}: ${host.verdict} (row ${host.row})`);
    }
    if (host.timingsDiffer)
      lines.push(`${host.host}: other timings than ours; make [timing] alike`);
  }
  lines.push(...lostMirrorLines(status), ...oneWayLines(status));
  for (const [what, count] of Object.entries(status.rejected))
    lines.push(`not believed: ${what}, ${count} times`);
  for (const { path, note } of status.paths) if (note) lines.push(`${path}: ${note}`);
  for (const { mirror, phase, why } of status.signals.now)
    lines.push(`${mirror}: its pair is changed for a signal (${why}, ${phase})`);
  if (status.journalFault) lines.push(`the journal cannot be written: ${status.journalFault}`);
  if (status.droppedDatagrams > 0)
    lines.push(`${status.droppedDatagrams} datagrams dropped: more came than can be read`);
  return lines;
}

function nextLine(status: StatusObject): string {
  const advice = status.sites.map((site) => site.advice).find((text) => text !== null);
  return `next: ${advice ?? "mirrorbeat events"}`;
}

export function statusText(status: StatusObject): string {
  const owner = status.termOwner ?? "?";
  const lines = [
    ...verdictLines(status),
    `ROLE     ${status.role.toUpperCase()}: ${status.roleReason}`,
    `TERM     ${status.term}, owned by ${owner}${status.takeover ? `; takeover: ${status.takeover}` : ""}`,
    `HOST     ${status.host} of site ${status.site}, cluster ${status.cluster}, up ${span(status.uptimeMs)}, ${status.engine}`,
    ...rightLines(status),
    ...stagedLines(status),
    ...deviations(status).map((line) => `NOTE     ${line}`),
    rule,
    columns(hostWidths, ["PEER HOST", "ROW", "STATE", "PATH", "SERIAL", "AGE", "SEES US"]),
    ...status.sites.flatMap((site) => site.hosts.flatMap(hostLines)),
    rule,
    columns(pathWidths, ["PATH", "DIR", "WATCH", "DEVICE"]),
    ...pathLines(status),
    ...pairLines(status),
    rule,
    nextLine(status),
  ];
  return `${lines
    .flatMap((line) => line.split("\n"))
    // Paths of devices and messages of systems may hold anything; a terminal gets ASCII.
    .map((line) => line.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, lineLengthMax))
    .join("\n")}\n`;
}
