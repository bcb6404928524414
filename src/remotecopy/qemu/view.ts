/**
 * From the facts of one end to its state. The primary's state is that of its mirror job; the
 * secondary's is what its marks say, as long as the job that watches the link goes on.
 */
import type { PairRole, PairState, PairView } from "../provider.ts";
import type { Facts, Job } from "./facts.ts";
import type { Names } from "./names.ts";

type Told = { readonly state: PairState; readonly cause: string };

/** A job is held for moments when the graph of nodes changes; then it is not paused by a person. */
const goesOn = (job: Job): boolean =>
  ["created", "running", "paused", "standby"].includes(job.status);

function primaryState(job: Job, { nodes }: Facts, names: Names): Told {
  if (job.type !== "mirror")
    return { state: "unknown", cause: `the job is no mirror: ${job.type}` };
  if (job.status === "concluded") {
    if (job.error === null) return { state: "suspended-by-operator", cause: "" };
    return { state: "suspended-by-error", cause: `the copying ended: ${job.error}` };
  }
  if (job.ioStatus !== "ok") {
    return { state: "suspended-by-error", cause: `the copying was stopped: ${job.ioStatus}` };
  }
  if (job.paused) return { state: "unknown", cause: "the job is paused, by whom is not known" };
  if (!nodes.has(names.filter) || !nodes.has(names.target)) {
    return { state: "unknown", cause: "the mirror is not one that was made here" };
  }
  if (job.ready) return { state: "paired", cause: "" };
  if (goesOn(job)) return { state: "copying", cause: "" };
  return { state: "unknown", cause: `the job is ${job.status}` };
}

function secondaryState(facts: Facts, names: Names): Told {
  const has = (mark: string): boolean => facts.marks.has(mark);
  const isOpen = facts.exports.has(names.replica);
  if (has(names.takeoverMark) || has(names.splitMark)) {
    if (isOpen) return { state: "unknown", cause: "half done: the replica is still open" };
    return { state: has(names.takeoverMark) ? "takeover" : "suspended-by-operator", cause: "" };
  }
  if (!isOpen) return { state: "suspended-by-error", cause: "the replica is closed" };
  if (!facts.nodes.has(names.guard)) return { state: "unknown", cause: "hosts could write to it" };
  const link = facts.jobs.get(names.link);
  if (!link) {
    if (has(names.equalMark)) return { state: "unknown", cause: "the link is not watched" };
    return { state: "copying", cause: "" };
  }
  if (link.status === "concluded" || link.ioStatus !== "ok") {
    return { state: "suspended-by-error", cause: `remote link: ${link.error ?? link.ioStatus}` };
  }
  if (link.type !== "backup" || link.paused || !goesOn(link)) {
    return { state: "unknown", cause: `the job that watches the link is ${link.status}` };
  }
  return { state: has(names.equalMark) ? "paired" : "copying", cause: "" };
}

const percentOf = (job: Job): number =>
  job.length === 0 ? 0 : Math.floor((100 * job.offset) / job.length);

/** The end's own words, for people. */
function nativeText(facts: Facts, names: Names): string {
  const words: string[] = [];
  for (const name of [names.job, names.link]) {
    const job = facts.jobs.get(name);
    if (job) words.push(`${job.type} ${job.status}`);
  }
  for (const mark of [names.secondaryMark, names.equalMark, names.splitMark, names.takeoverMark]) {
    if (facts.marks.has(mark)) words.push(mark.slice(mark.lastIndexOf(".") + 1));
  }
  return words.join(", ").replace(/[^\x20-\x7e]+/g, " ") || "no job";
}

export function roleOf(facts: Facts, names: Names): PairRole {
  const isPrimary = facts.jobs.has(names.job);
  const isSecondary = facts.marks.has(names.secondaryMark);
  if (isPrimary && isSecondary) return "unknown";
  return isPrimary ? "primary" : isSecondary ? "secondary" : "none";
}

function stateOf(facts: Facts, names: Names, role: PairRole): Told {
  const job = facts.jobs.get(names.job);
  switch (role) {
    case "unknown":
      return { state: "unknown", cause: "primary and secondary at once: a swap is half done" };
    case "secondary":
      return secondaryState(facts, names);
    case "primary":
      return job ? primaryState(job, facts, names) : { state: "unknown", cause: "no job" };
    case "none":
      return { state: "simplex", cause: "" };
  }
}

export function viewOf(facts: Facts, names: Names): PairView {
  const role = roleOf(facts, names);
  const { state, cause } = stateOf(facts, names, role);
  const job = role === "primary" ? facts.jobs.get(names.job) : undefined;
  const percent = job && state === "copying" ? percentOf(job) : null;
  return {
    state,
    role,
    readable: true,
    writable: !facts.nodes.has(names.guard),
    inSync: state !== "paired" ? false : job ? job.offset === job.length : null,
    percent: state === "paired" ? 100 : percent,
    lastCopyAgoMs: null,
    native: nativeText(facts, names),
    cause,
  };
}

/**
 * What an end says of itself, once the other one was asked too: a mirror with nothing to write
 * does not notice that its replica was closed, nor a secondary that the mirror ended.
 */
export function refuted(view: PairView, other: PairView): PairView {
  if (view.state !== "paired") return view;
  const lost = { ...view, inSync: false, percent: null };
  if (view.role === other.role) {
    return { ...lost, state: "unknown", cause: `both ends are ${view.role}` };
  }
  if (["paired", "copying", "unknown"].includes(other.state)) return view;
  return { ...lost, state: "suspended-by-error", cause: `the other end is ${other.state}` };
}
