/** Worlds under a lease for the core's tests: tokyo serves, osaka stands by. */
import * as assert from "uvu/assert";
import { eventText } from "../core/base/event.ts";
import type { State } from "../core/step/state.ts";
import type { DataGroupConfig, Timing } from "../core/base/config.ts";
import type { SitesWish } from "./core-config.ts";
import { Judge, type JudgeWish } from "./core-judge.ts";
import { type Agent, World } from "./core-world.ts";

export const pair: SitesWish = {
  tokyo: ["tokyo-1"],
  osaka: ["osaka-1"],
  policy: "lease",
  takeoverHook: true,
};
export const four: SitesWish = { policy: "lease", takeoverHook: true };
export const witnessed: SitesWish = { ...pair, policy: "witness", witness: "nagoya-1" };

export const oradata: DataGroupConfig = {
  name: "oradata",
  id: 1,
  writer: "tokyo",
  reader: "osaka",
  pvol: "/dev/oradata-pvol",
  svol: "/dev/oradata-svol",
  pair: { provider: "none" },
};

export type Scene = { readonly world: World; readonly judge: Judge };

/** A world that was just begun, with its judge; data groups are whole. */
export function begun(wish: SitesWish = pair, how: JudgeWish = {}): Scene {
  const world = new World(wish, true);
  if (wish.dataGroups) {
    for (const agent of world.agents.values()) {
      const role = agent.setup.config.self.site === "tokyo" ? "primary" : "secondary";
      agent.data = { state: "paired", role, lastCopyAgoMs: 0 };
    }
  }
  return { world, judge: new Judge(world, how) };
}

/** The same, when all is well; nothing told before counts. */
export function leased(wish: SitesWish = pair, how: JudgeWish = {}): Scene {
  const scene = begun(wish, how);
  scene.world.run(15_000);
  assert.equal(scene.judge.sites(), ["tokyo"], "production serves to begin with");
  for (const agent of scene.world.agents.values()) agent.forget();
  return scene;
}

export const timingOf = (world: World): Timing => {
  const [agent] = world.agents.values();
  if (!agent) throw new Error("no agent");
  return agent.state.config.timing;
};

/** Both mirrors and the network, or one of them. */
export function cutAll(world: World, cut: boolean): void {
  world.cut(cut);
  for (const name of world.volumes.keys()) world.link(name, !cut);
}

export const noBreach = ({ judge, world }: Scene, why = ""): void =>
  assert.equal(judge.breaches, [], `${why}\n${toldText(world)}`);

export const rolesOf = (agent: Agent): unknown[] =>
  agent.events("role").map(({ fields }) => fields["role"]);
export const stepsOf = (agent: Agent, ev = "takeover"): unknown[] =>
  agent.events(ev).map(({ fields }) => fields["step"]);

/** When that host told the first event that fits; null where it did not. */
export function toldAt(agent: Agent, ev: string, field: string, value: unknown): number | null {
  const found = agent.told.find(({ event }) => event.ev === ev && event.fields[field] === value);
  return found?.atMs ?? null;
}

/** The moment of that line of the judge's log; fails where it does not stand there. */
export function servedAt(
  { judge }: Scene,
  host: string,
  what: "serves" | "serves no more",
): number {
  const line = judge.log.findLast((each) => each.endsWith(`${host} ${what}`));
  assert.ok(line, `${host} ${what}: ${judge.log.join("; ")}`);
  return Number(line?.split(" ", 1)[0]);
}

/** A command; its answer, or null where none came in time. */
export function command(
  world: World,
  host: string,
  input: { readonly kind: "takeover" | "switchover"; readonly [field: string]: unknown },
  waitMs: number,
): { readonly code: number; readonly message: string } | null {
  const id = Math.round(world.nowMs) + 7_000_000;
  const usual = input.kind === "takeover" ? { force: false } : { repair: false };
  world.input(host, { ...usual, id, ...input } as never);
  world.run(waitMs);
  return world.agent(host).answers.find((answer) => answer.id === id) ?? null;
}

/** A mistake that a host makes: its state is changed after each of its steps. */
export function mistake(world: World, host: string, change: (state: State) => State): void {
  const watched = world.onStep;
  world.onStep = (agent, before, input) => {
    if (agent.name === host) agent.state = change(agent.state);
    watched(agent, before, input);
  };
}

export function toldText(world: World): string {
  const lines = [...world.agents.values()].flatMap(({ name, told }) =>
    told.map(({ atMs, event }) => ({
      atMs,
      text: `${Math.round(atMs)} ${name} ${eventText(event)}`,
    })),
  );
  return lines
    .sort((a, b) => a.atMs - b.atMs)
    .slice(-80)
    .map(({ text }) => text)
    .join("\n");
}
