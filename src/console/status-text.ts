/** The status as people read it: ASCII, 80 columns, verdict first, the next command last. */
import type { StatusObject } from "../core/step/status.ts";

type Site = StatusObject["sites"][number];
type Host = Site["hosts"][number];

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

const rule = "-".repeat(80);
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

function hostLines(host: Host): string[] {
  const off = host.enabled ? "" : " (off here)";
  return host.paths.map((path, index) => {
    const state = path.inUse ? path.status.toUpperCase() : "OFF";
    const seen = path.echoLagBeats === null ? "no" : `${path.echoLagBeats}`;
    const name = index === 0 ? `${host.host}${host.beacon ? "*" : ""}` : "";
    const row = index === 0 ? (host.row ?? "-") : "";
    const cells = [
      name,
      row,
      state,
      path.path + (index === 0 ? off : ""),
      path.serial,
      span(path.ageMs),
      `${seen}`,
    ];
    return columns(hostWidths, cells);
  });
}

function pathLines(status: StatusObject): string[] {
  return status.paths.map((path) => {
    const state = !path.enabled ? "OFF" : path.fit ? "ok" : `unfit (${path.illness} of 7)`;
    const pair = path.pair ? `pair ${path.pair.state} ${span(path.pair.ageMs)}` : "";
    const fault = path.fault ?? path.failure;
    const device = path.device ?? "";
    const head = columns([12, 4, 14, 22, 26], [path.path, path.direction, state, pair, device]);
    return fault ? `${head}\n${`             ! ${fault}`.slice(0, 80)}` : head;
  });
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
  for (const [what, count] of Object.entries(status.rejected))
    lines.push(`not believed: ${what}, ${count} times`);
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
    ...deviations(status).map((line) => `NOTE     ${line}`),
    rule,
    columns(hostWidths, ["PEER HOST", "ROW", "STATE", "PATH", "SERIAL", "AGE", "SEES US"]),
    ...status.sites.flatMap((site) => site.hosts.flatMap(hostLines)),
    rule,
    columns([12, 4, 14, 22, 26], ["PATH", "DIR", "WATCH", "PAIR", "DEVICE"]),
    ...pathLines(status),
    rule,
    nextLine(status),
  ];
  return `${lines
    .flatMap((line) => line.split("\n"))
    // Paths of devices and messages of systems may hold anything; a terminal gets ASCII.
    .map((line) => line.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 80))
    .join("\n")}\n`;
}
