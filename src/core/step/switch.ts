/** Paths and hosts switched on and off while the agent runs. */
import type { CoreEvent } from "../base/event.ts";
import { beginSighting, beginWatch } from "../observation.ts";
import { keptMarks } from "./marks.ts";
import { networkPath, type Peer, type State, type Step, type SwitchTarget } from "./state.ts";

function targetName(target: SwitchTarget): string {
  return target.kind === "network" ? networkPath : target.name;
}

/** A peer that begins anew: nothing is judged of it before it was watched afresh. */
function anew(state: State, peer: Peer, enabled: boolean): Peer {
  const { nowMs } = state;
  const sightings = Object.fromEntries(
    Object.entries(peer.sightings).map(([path, { position }]) => {
      const watch = state.paths[path]?.watch ?? beginWatch(nowMs);
      return [path, beginSighting(state.config.timing.intervalMs, nowMs, watch, position)];
    }),
  );
  const marks = keptMarks(peer);
  return { ...peer, enabled, sightings, marks, pathsOff: [], linkProvenMs: {}, verdict: null };
}

/** Silence on a path that comes back is counted from now. */
function pathAnew(state: State, path: string): State {
  const known = state.paths[path];
  if (!known) return state;
  const watch = beginWatch(state.nowMs);
  const peers = state.peers.map((peer) => {
    const sighting = peer.sightings[path];
    if (!sighting) return peer;
    const { intervalMs } = state.config.timing;
    const fresh = beginSighting(intervalMs, state.nowMs, watch, sighting.position);
    return { ...peer, marks: keptMarks(peer), sightings: { ...peer.sightings, [path]: fresh } };
  });
  const paths = { ...state.paths, [path]: { ...known, watch } };
  return { ...state, peers, paths };
}

export function switchPath(state: State, path: string, on: boolean): State {
  const known = state.paths[path];
  if (!known || known.enabled === on) return state;
  const base = on ? pathAnew(state, path) : state;
  const current = base.paths[path] ?? known;
  return { ...base, paths: { ...base.paths, [path]: { ...current, enabled: on } } };
}

function switchHost(state: State, name: string, on: boolean): State {
  if (name === state.config.self.host) {
    return state.selfEnabled === on ? state : { ...state, selfEnabled: on };
  }
  if (!state.peers.some((peer) => peer.host.name === name && peer.enabled !== on)) return state;
  const peers = state.peers.map((peer) =>
    peer.host.name === name && peer.enabled !== on ? anew(state, peer, on) : peer,
  );
  return { ...state, peers };
}

export function switchTarget(state: State, target: SwitchTarget, on: boolean): Step {
  const next =
    target.kind === "host"
      ? switchHost(state, target.name, on)
      : switchPath(state, targetName(target), on);
  const fields = { kind: target.kind, name: targetName(target), on };
  const event: CoreEvent = { level: "notice", ev: "switch", fields };
  return { state: next, actions: [], events: next === state ? [] : [event] };
}

/** Why a target cannot be switched; null where it can. */
export function switchFault(state: State, target: SwitchTarget): string | null {
  if (target.kind === "mirror" && state.paths[target.name]) {
    const registration = state.devices.registrations[target.name]?.state;
    if (registration !== "enabled") {
      return `mirror '${target.name}' is not installed here; mirrorbeat install ${target.name}`;
    }
  }
  const names =
    target.kind === "host"
      ? [state.config.self.host, ...state.peers.map((peer) => peer.host.name)]
      : Object.values(state.paths)
          .filter((path) => path.kind === target.kind)
          .map((path) => path.name);
  const name = targetName(target);
  return names.includes(name)
    ? null
    : `no ${target.kind} '${name}'; there are: ${names.join(", ")}`;
}
