/**
 * Which commands lead from the facts of both ends to what a verb wants, in phases: each is sent
 * over one connection, and the next begins only when its own is seen to have come about. Pure.
 *
 * Order is what keeps a crash in between harmless: the secondary loses its mark "equal" before
 * anything changes, and gets it last of all.
 */
import type { JsonObject } from "../../host/json-lines.ts";
import type { Facts } from "./facts.ts";
import type { Names } from "./names.ts";
import type { QmpCommand } from "./qmp.ts";

export type Phase = {
  readonly at: Station;
  readonly commands: readonly QmpCommand[];
  /** What must be seen afterwards, whatever the commands answered; null: that they succeeded. */
  readonly until: Until | null;
  /** If that other array cannot be had, the change goes on without it. */
  readonly optional: boolean;
  /** To be sent if this phase fails. */
  readonly undo: readonly Phase[];
  /** The same, if the copying goes on nevertheless. */
  readonly undoIfReady: readonly Phase[];
};

/** "completed": ended without an error; "concluded": ended, however. */
export type Until = { readonly job: string; readonly is: "completed" | "concluded" | "ready" };

/** One array and what is known of the end in it. */
export type Station = {
  readonly side: "own" | "peer";
  readonly names: Names;
  /** HOST and PORT of its NBD server, for the other array. */
  readonly address: { readonly host: string; readonly port: number };
};
export type Known = { readonly station: Station; readonly facts: Facts };

/** Bytes of the node of nothing: at two reads a second it lasts for over a year. */
const pulseBytes = 2 ** 42;
const pulseReadBytes = 65_536;
const pulseReadsPerSecond = 2;
/** What a host's write to a secondary gets: EPERM. */
const refusedErrno = 1;

const command = (execute: string, args: JsonObject): QmpCommand => ({ execute, arguments: args });

function phase(at: Station, commands: readonly QmpCommand[], more: Partial<Phase> = {}): Phase[] {
  if (commands.length === 0 && !more.until) return [];
  return [{ at, commands, until: null, optional: false, undo: [], undoIfReady: [], ...more }];
}

const addMark = (id: string): QmpCommand =>
  command("object-add", { "qom-type": "throttle-group", id });
const dropMark = (id: string): QmpCommand => command("object-del", { id });
const dropMarks = ({ marks }: Facts, ids: readonly string[]): QmpCommand[] =>
  ids.filter((id) => marks.has(id)).map(dropMark);
const needMark = ({ marks }: Facts, id: string): QmpCommand[] =>
  marks.has(id) ? [] : [addMark(id)];
const dropNodes = ({ nodes }: Facts, names: readonly string[]): QmpCommand[] =>
  names
    .filter((name) => nodes.has(name))
    .map((name) => command("blockdev-del", { "node-name": name }));
const dropExport = ({ exports: open }: Facts, id: string): QmpCommand[] =>
  open.has(id) ? [command("block-export-del", { id, mode: "hard" })] : [];

const nbdNode = (name: string, from: Station, exported: string): JsonObject => ({
  driver: "nbd",
  "node-name": name,
  server: { type: "inet", host: from.address.host, port: String(from.address.port) },
  export: exported,
  "reconnect-delay": 0,
});

const frontUpon = (names: Names, file: string): QmpCommand =>
  command("blockdev-reopen", { options: [{ driver: "raw", "node-name": names.front, file }] });

/** Hosts' writes fail from here on. */
function guard({ facts, station: { names } }: Known): QmpCommand[] {
  const refuse = ["write", "write-zeroes", "discard"].map((iotype) => ({
    event: "none",
    iotype,
    errno: refusedErrno,
    immediately: true,
  }));
  const node = {
    driver: "blkdebug",
    "node-name": names.guard,
    image: names.volume,
    "inject-error": refuse,
  };
  const add = facts.nodes.has(names.guard) ? [] : [command("blockdev-add", node)];
  return [...add, frontUpon(names, names.guard)];
}

function unguard({ facts, station: { names } }: Known): QmpCommand[] {
  if (!facts.nodes.has(names.guard)) return [];
  return [frontUpon(names, names.volume), command("blockdev-del", { "node-name": names.guard })];
}

/** Ends a job of whatever state, and forgets it. */
function endJob({ facts, station }: Known, id: string, nodes: readonly string[]): Phase[] {
  const job = facts.jobs.get(id);
  const until = { job: id, is: "concluded" } as const;
  const cancel = command("block-job-cancel", { device: id, force: true });
  return [
    ...(job && job.status !== "concluded" ? phase(station, [cancel], { until }) : []),
    ...phase(station, [
      ...(job ? [command("job-dismiss", { id })] : []),
      ...dropNodes(facts, nodes),
    ]),
  ];
}

const endLink = (secondary: Known): Phase[] => {
  const { names } = secondary.station;
  return endJob(secondary, names.link, [names.link, names.sink]);
};
const endPulse = ({ facts, station: { names } }: Known): QmpCommand[] => [
  ...dropExport(facts, names.pulse),
  ...dropNodes(facts, [names.pulse]),
];

/** The reader's side of a copy: opened for the other array, closed for hosts. */
export function prepareSecondary(secondary: Known): Phase[] {
  const { facts, station } = secondary;
  const { names } = station;
  const open = command("block-export-add", {
    type: "nbd", id: names.replica, "node-name": names.volume, name: names.replica, writable: true,
  }); // biome-ignore format: one command
  return [
    ...phase(station, dropMarks(facts, [names.equalMark])),
    ...endLink(secondary),
    ...phase(station, [
      ...needMark(facts, names.secondaryMark),
      ...dropMarks(facts, [names.splitMark, names.takeoverMark]),
      ...guard(secondary),
      ...(facts.exports.has(names.replica) ? [] : [open]),
    ]),
  ];
}

function startMirror(primary: Known, from: Station, copying: string): Phase[] {
  const { facts, station } = primary;
  const { names } = station;
  const { pulse } = names;
  const node = {
    driver: "null-co", "node-name": pulse, size: pulseBytes, "read-zeroes": true,
  }; // biome-ignore format: one command
  const exported = { type: "nbd", id: pulse, "node-name": pulse, name: pulse, writable: false };
  const mirror = {
    "job-id": names.job,
    device: names.front,
    target: names.target,
    sync: "full",
    "copy-mode": copying === "asynchronous" ? "background" : "write-blocking",
    "on-target-error": "report",
    "on-source-error": "report",
    "auto-dismiss": false,
    "filter-node-name": names.filter,
  };
  return phase(station, [
    ...(facts.nodes.has(pulse) ? [] : [command("blockdev-add", node)]),
    ...(facts.exports.has(pulse) ? [] : [command("block-export-add", exported)]),
    command("blockdev-add", nbdNode(names.target, from, names.replica)),
    command("blockdev-mirror", mirror),
  ]);
}

function watchLink({ names }: Station, at: Station, from: Station): Phase[] {
  const sink = { driver: "null-co", "node-name": names.sink, size: pulseBytes };
  const backup = {
    "job-id": names.link,
    device: names.link,
    target: names.sink,
    sync: "full",
    speed: pulseReadBytes * pulseReadsPerSecond,
    "auto-dismiss": false,
    "on-source-error": "report",
    "x-perf": { "max-chunk": pulseReadBytes, "max-workers": 1 },
  };
  return phase(at, [
    command("blockdev-add", { ...nbdNode(names.link, from, from.names.pulse), "read-only": true }),
    command("blockdev-add", sink),
    command("blockdev-backup", backup),
  ]);
}

/** Makes the secondary equal to the primary, whatever was between them before. */
export function startCopy(
  primary: Known,
  secondary: Known | null,
  secondaryStation: Station,
  copying: string,
): Phase[] {
  const { names } = primary.station;
  const begin = [
    ...endJob(primary, names.job, [names.target]),
    ...startMirror(primary, secondaryStation, copying),
  ];
  const ready = { job: names.job, is: "ready" } as const;
  const wait = phase(primary.station, [], { until: ready });
  if (!secondary) return [...begin, ...wait];
  const { station } = secondary;
  return [
    ...prepareSecondary(secondary),
    ...begin,
    ...watchLink(station, station, primary.station),
    ...wait,
    ...phase(station, [addMark(station.names.equalMark)]),
  ];
}

/** Lets all that was written arrive, then ends the copying; the ended job is what remembers it. */
function stopMirror(
  primary: Known,
  undo: readonly Phase[],
  undoIfReady: readonly Phase[],
): Phase[] {
  const { facts, station } = primary;
  const { names } = station;
  const cancel = command("block-job-cancel", { device: names.job });
  const until = { job: names.job, is: "completed" } as const;
  return [
    ...phase(station, [cancel], { until, undo, undoIfReady }),
    ...phase(station, [...dropNodes(facts, [names.target]), ...endPulse(primary)]),
  ];
}

function loseEqual(secondary: Known, optional: boolean): { drop: Phase[]; restore: Phase[] } {
  const { facts, station } = secondary;
  const { equalMark } = station.names;
  if (!facts.marks.has(equalMark)) return { drop: [], restore: [] };
  return {
    drop: phase(station, [dropMark(equalMark)], { optional }),
    restore: phase(station, [addMark(equalMark)], { optional }),
  };
}

export function split(primary: Known, secondary: Known | null): Phase[] {
  if (!secondary) return stopMirror(primary, [], []);
  const { facts, station } = secondary;
  const { names } = station;
  const { drop, restore } = loseEqual(secondary, true);
  return [
    ...drop,
    ...stopMirror(primary, [], restore),
    ...phase(
      station,
      [...needMark(facts, names.splitMark), ...dropExport(facts, names.replica)],
      { optional: true },
    ),
    ...endLink(secondary).map((each) => ({ ...each, optional: true })),
  ]; // biome-ignore format: in order
}

/** The first half of an exchange: all has arrived, and the old primary takes no more writes. */
export function stopForSwap(primary: Known, secondary: Known): Phase[] {
  const { station, facts } = primary;
  const { names } = station;
  const other = secondary.station.names;
  const { drop, restore } = loseEqual(secondary, false);
  const guarded = { ...facts, nodes: new Set([...facts.nodes, names.guard]) };
  const back = phase(station, [
    dropMark(names.secondaryMark),
    ...unguard({ station, facts: guarded }),
  ]);
  return [
    ...drop,
    ...phase(station, [...guard(primary), addMark(names.secondaryMark)], { undo: restore }),
    ...stopMirror(primary, back, restore),
    ...phase(station, [command("job-dismiss", { id: names.job })]),
    ...endLink(secondary),
    ...phase(secondary.station, [
      ...dropExport(secondary.facts, other.replica),
      ...dropMarks(secondary.facts, [other.splitMark, other.secondaryMark]),
      ...unguard(secondary),
    ]),
  ];
}

/** At the secondary alone. The other array may still write until the replica is closed. */
export function takeover(secondary: Known): Phase[] {
  const { facts, station } = secondary;
  const { names } = station;
  const cancel = command("block-job-cancel", { device: names.link, force: true });
  const link = facts.jobs.get(names.link);
  return [
    ...phase(station, [
      ...dropMarks(facts, [names.equalMark]),
      ...needMark(facts, names.secondaryMark),
      ...needMark(facts, names.takeoverMark),
      ...dropExport(facts, names.replica),
      ...dropMarks(facts, [names.splitMark]),
      ...unguard(secondary),
    ]),
    // It may hang with the link: it is not waited for.
    ...(link && link.status !== "concluded" ? phase(station, [cancel], { optional: true }) : []),
  ];
}

/** All that this provider ever made in one array. */
export function clear(end: Known): Phase[] {
  const { facts, station } = end;
  const { names } = station;
  return [
    // Without its pulse a secondary says so, even if nobody comes to tell it more.
    ...phase(station, [...dropMarks(facts, [names.equalMark]), ...endPulse(end)]),
    ...endJob(end, names.job, [names.target]),
    ...phase(station, dropExport(facts, names.replica)),
    ...endLink(end),
    ...phase(station, unguard(end)),
    ...phase(station, dropMarks(facts, [names.splitMark, names.takeoverMark, names.secondaryMark])),
  ];
}
