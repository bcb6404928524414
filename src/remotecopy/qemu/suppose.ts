/** The commands that a change would send if both ends are as their states say; for people. Pure. */
import type { Change, PairView } from "../provider.ts";
import { type Ends, planOf } from "./choose.ts";
import type { Facts, Job } from "./facts.ts";
import type { Phase, Station } from "./plan.ts";

type Setting = Pick<Ends, "copying" | "isWriter" | "peer" | "hasPeer"> & { readonly own: Station };

const job = (type: string, status: Job["status"], error: string | null): Job => ({
  type,
  status,
  ready: status === "ready",
  paused: false,
  ioStatus: "ok",
  offset: 0,
  length: 0,
  error,
});

function supposedFacts({ state, role }: PairView, { names, side }: Station): Facts {
  const facts = { array: side, file: side, exports: new Set<string>(), marks: new Set<string>() };
  const nodes = new Set([names.volume, names.front]);
  const jobs = new Map<string, Job>();
  const ended = state === "suspended-by-operator" || state === "suspended-by-error";
  const error = state === "suspended-by-error" ? "an error" : null;
  if (role === "primary") {
    const status = ended ? "concluded" : state === "copying" ? "running" : "ready";
    jobs.set(names.job, job("mirror", status, error));
    if (!ended) {
      nodes.add(names.filter).add(names.target).add(names.pulse);
      facts.exports.add(names.pulse);
    }
  }
  if (role === "secondary") {
    facts.marks.add(names.secondaryMark);
    if (state === "paired") facts.marks.add(names.equalMark);
    if (state === "takeover") facts.marks.add(names.takeoverMark);
    else nodes.add(names.guard);
    if (state === "suspended-by-operator") facts.marks.add(names.splitMark);
    if (state === "paired" || state === "copying") {
      facts.exports.add(names.replica);
      nodes.add(names.link).add(names.sink);
      jobs.set(names.link, job("backup", "running", null));
    }
  }
  return { ...facts, nodes, jobs };
}

const fresh = (role: PairView["role"], state: PairView["state"]): PairView => ({
  state,
  role,
  readable: null,
  writable: null,
  inSync: null,
  percent: null,
  lastCopyAgoMs: null,
  native: "",
  cause: "",
});

/** What the other end is where nobody asked it. */
function otherView({ role, state }: PairView): PairView {
  if (role === "primary") return fresh("secondary", state);
  return role === "secondary" ? fresh("primary", state) : fresh("none", "simplex");
}

function endsOf(setting: Setting, own: PairView, peer: PairView): Ends {
  return {
    ...setting,
    own: { station: setting.own, facts: supposedFacts(own, setting.own) },
    peerKnown: setting.hasPeer
      ? { station: setting.peer, facts: supposedFacts(peer, setting.peer) }
      : null,
    peerFault: null,
  };
}

export function supposedCommands({ verb, before }: Change, setting: Setting): Phase[] {
  const { local } = before;
  const remote = before.remote ?? otherView(local);
  const plan = planOf(verb, endsOf(setting, local, remote));
  if ("ok" in plan) return [];
  if (!plan.andThen) return [...plan.phases];
  const next = plan.andThen(
    endsOf(setting, fresh(turned(local.role), "suspended-by-error"), turnedView(local.role)),
  );
  return [...plan.phases, ...("ok" in next ? [] : next.phases)];
}

/** After the first half of a swap the old primary is a secondary, and the old secondary nothing. */
const turned = (role: PairView["role"]): PairView["role"] =>
  role === "primary" ? "secondary" : "none";
const turnedView = (role: PairView["role"]): PairView =>
  role === "primary" ? fresh("none", "simplex") : fresh("secondary", "suspended-by-error");
