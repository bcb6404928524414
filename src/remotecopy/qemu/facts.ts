/**
 * What a daemon told of one end, from the answers to a fixed set of questions. Nothing is guessed:
 * a word that is not known, a field that is missing or contradicts another makes the whole answer
 * `unparseable`.
 */
import { isObject } from "../../host/json-lines.ts";
import { fault, type PairFault } from "../provider.ts";
import type { Names } from "./names.ts";
import type { QmpCommand, QmpReply } from "./qmp.ts";

/** In this order; the jobs last, so that marks are never younger than the job they speak of. */
export const questions: readonly QmpCommand[] = [
  { execute: "qom-list", arguments: { path: "/objects" } },
  { execute: "query-block-exports" },
  { execute: "query-named-block-nodes", arguments: { flat: true } },
  { execute: "query-block-jobs" },
];

const jobStatuses = [
  "undefined", "created", "running", "paused", "ready", "standby", "waiting", "pending",
  "aborting", "concluded", "null",
] as const; // biome-ignore format: two lines
export type JobStatus = (typeof jobStatuses)[number];

export type Job = {
  readonly type: string;
  readonly status: JobStatus;
  /** A mirror that has caught up, and has not ended. */
  readonly ready: boolean;
  /** By a person. */
  readonly paused: boolean;
  readonly ioStatus: "ok" | "failed" | "nospace";
  readonly offset: number;
  readonly length: number;
  /** Of a job that ended badly. */
  readonly error: string | null;
};

export type Facts = {
  /** What the daemon was named at its start: --object throttle-group,id=array.NAME */
  readonly array: string | null;
  /** File of the volume; null where the daemon knows no such node. */
  readonly file: string | null;
  readonly nodes: ReadonlySet<string>;
  readonly exports: ReadonlySet<string>;
  readonly marks: ReadonlySet<string>;
  readonly jobs: ReadonlyMap<string, Job>;
};

export type FactsRead = { readonly ok: true; readonly facts: Facts } | PairFault;

const arrayPrefix = "array.";

class Misread extends Error {}

function misread(what: string): never {
  throw new Misread(what);
}

function list(value: unknown, what: string): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) misread(`${what} is no list`);
  return value.map((entry: unknown) => (isObject(entry) ? entry : misread(`an entry of ${what}`)));
}

const text = (value: unknown, what: string): string =>
  typeof value === "string" && value !== "" ? value : misread(what);
const flag = (value: unknown, what: string): boolean =>
  typeof value === "boolean" ? value : misread(what);
const count = (value: unknown, what: string): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : misread(what);

function unique(names: readonly string[], what: string): ReadonlySet<string> {
  const set = new Set(names);
  return set.size === names.length ? set : misread(`${what} are told twice`);
}

function oneOf<T extends string>(words: readonly T[], value: unknown, what: string): T {
  return words.find((word) => word === value) ?? misread(what);
}

function jobOf(entry: Readonly<Record<string, unknown>>): Job {
  const error = entry["error"] === undefined ? null : text(entry["error"], "a job's error");
  const job: Job = {
    type: text(entry["type"], "a job's type"),
    status: oneOf(jobStatuses, entry["status"], "a job's status"),
    ready: flag(entry["ready"], "a job's ready"),
    paused: flag(entry["paused"], "a job's paused"),
    ioStatus: oneOf(["ok", "failed", "nospace"], entry["io-status"], "a job's io-status"),
    offset: count(entry["offset"], "a job's offset"),
    length: count(entry["len"], "a job's len"),
    error,
  };
  const isReady = job.status === "ready" || job.status === "standby";
  if (job.ready !== isReady) misread("a job is ready and is not");
  if (job.offset > job.length) misread("a job is further than its end");
  if (error !== null && !["aborting", "concluded"].includes(job.status)) {
    misread("a job goes on after its error");
  }
  return job;
}

function fileOf(nodes: readonly Readonly<Record<string, unknown>>[], name: string): string | null {
  const node = nodes.find((entry) => entry["node-name"] === name);
  if (!node) return null;
  const { image } = node;
  if (!isObject(image)) misread("a node's image");
  return text(image["filename"], "an image's filename");
}

function read(values: readonly unknown[], names: Names): Facts {
  const [objects, exported, nodes, jobs] = values;
  const objectNames = list(objects, "objects").map((entry) => text(entry["name"], "an object"));
  const marks = unique(objectNames, "objects");
  const arrays = objectNames.filter((name) => name.startsWith(arrayPrefix));
  if (arrays.length > 1) misread("two names of the array");
  const nodeList = list(nodes, "nodes");
  const jobList = list(jobs, "jobs");
  const ids = jobList.map((entry) => text(entry["device"], "a job's name"));
  unique(ids, "jobs");
  return {
    array: arrays[0]?.slice(arrayPrefix.length) || null,
    file: fileOf(nodeList, names.volume),
    nodes: unique(nodeList.map((node) => text(node["node-name"], "a node")), "nodes"),
    exports: unique(
      list(exported, "exports")
        .filter((entry) => !flag(entry["shutting-down"], "an export"))
        .map((entry) => text(entry["id"], "an export")),
      "exports",
    ),
    marks,
    jobs: new Map(jobList.map((entry, index) => [ids[index] ?? "", jobOf(entry)])),
  }; // biome-ignore format: as it is read
}

/** From the answers to `questions`; never throws. */
export function factsOf(where: string, replies: readonly QmpReply[], names: Names): FactsRead {
  const refused = replies.find((reply) => !reply.ok);
  if (refused && !refused.ok) return fault("array-rejected", `${where}: ${refused.message}`);
  if (replies.length !== questions.length) {
    return fault("unparseable", `${where}: not all questions were answered`);
  }
  try {
    const facts = read(
      replies.map((reply) => (reply.ok ? reply.value : null)),
      names,
    );
    if (facts.file === null) {
      return fault("config", `${where}: the daemon has no node "${names.volume}"`);
    }
    return { ok: true, facts };
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    return fault("unparseable", `${where}: not understood: ${error.message}`);
  }
}
