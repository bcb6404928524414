/**
 * What the demo sees of its hosts: their own event lines. Keeps each host's role and verdicts, and
 * lets a script wait for a condition with a deadline.
 */
import type { HostName } from "./stage.ts";
import type { ProgramEvent } from "./processes.ts";

export type Scene = {
  /** role by host; absent while the host is dead. */
  readonly roles: Map<HostName, string>;
  readonly terms: Map<HostName, string>;
  /** row of the other site's group, by judging host. */
  readonly groups: Map<HostName, string>;
  /** row by "judging host>judged host", and when it was stated. */
  readonly verdicts: Map<string, { row: string; atMs: number }>;
  /** path states by "judging host>judged host path". */
  readonly paths: Map<string, string>;
  readonly hookLines: string[];
  twoActive: number;
};

export function newScene(): Scene {
  return {
    roles: new Map(),
    terms: new Map(),
    groups: new Map(),
    verdicts: new Map(),
    paths: new Map(),
    hookLines: [],
    twoActive: 0,
  };
}

function countActives(scene: Scene): void {
  const sites = new Set(
    [...scene.roles].filter(([, role]) => role === "active").map(([host]) => host[0]),
  );
  if (sites.size > 1) scene.twoActive += 1;
}

export function takeEvent(scene: Scene, host: HostName, event: ProgramEvent, atMs: number): void {
  switch (event["ev"]) {
    case "start":
      scene.roles.set(host, event["role"] ?? "");
      scene.terms.set(host, event["term"] ?? "");
      scene.groups.delete(host);
      break;
    case "role":
      scene.roles.set(host, event["role"] ?? "");
      scene.terms.set(host, event["term"] ?? "");
      countActives(scene);
      break;
    case "term":
      scene.terms.set(host, event["term"] ?? "");
      break;
    case "group":
      scene.groups.set(host, event["row"] ?? "");
      break;
    case "verdict":
      scene.verdicts.set(`${host}>${event["host"]}`, { row: event["row"] ?? "", atMs });
      break;
    case "path":
      scene.paths.set(`${host}>${event["host"]} ${event["path"]}`, event["state"] ?? "");
      break;
    case "hook":
      scene.hookLines.push(event["detail"] ?? "");
      break;
    default:
      break;
  }
}

export function forgetHost(scene: Scene, host: HostName): void {
  scene.roles.delete(host);
  scene.groups.delete(host);
}
