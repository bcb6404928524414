/**
 * Who serves in a virtual world, in true time, and whether two ever do. Beside the agents' hooks an
 * init system starts the service: on a host that was booted it waits for the gate.
 */
import type { Setup } from "../core/step/begin.ts";
import { gateView } from "../core/step/gate.ts";
import type { Agent, World } from "./core-world.ts";

export type JudgeWish = {
  /** Only one host of a site may serve at a time. */
  readonly local?: boolean;
  /** No init system: only hooks start the service. */
  readonly hooksOnly?: boolean;
};

export class Judge {
  /** Moments at which two served that must not. */
  readonly breaches: string[] = [];
  /** Every start and end of a service. */
  readonly log: string[] = [];
  readonly #world: World;
  readonly #wish: JudgeWish;
  readonly #wanted = new Map<string, boolean>();
  readonly #setups = new Map<string, Setup>();

  constructor(world: World, wish: JudgeWish = {}) {
    this.#world = world;
    this.#wish = wish;
    for (const agent of world.agents.values()) {
      const { name } = agent;
      agent.onService = (runs) => this.#changed(name, runs);
      this.#setups.set(name, agent.setup);
      this.#wanted.set(name, true);
    }
    if (!wish.hooksOnly) world.onStep = (agent) => this.#gate(agent);
  }

  /** Hosts whose service runs now. */
  hosts(): string[] {
    return [...this.#world.agents.values()]
      .filter(({ serviceRuns }) => serviceRuns)
      .map(({ name }) => name);
  }

  sites(): string[] {
    const { agents } = this.#world;
    const sites = this.hosts().map((name) => agents.get(name)?.setup.config.self.site ?? "");
    return [...new Set(sites)];
  }

  #changed(name: string, runs: boolean): void {
    const { nowMs } = this.#world;
    this.log.push(`${nowMs} ${name} ${runs ? "serves" : "serves no more"}`);
    const two = this.#wish.local ? this.hosts().length > 1 : this.sites().length > 1;
    if (two) this.breaches.push(`${nowMs} ms: ${this.hosts().join(" and ")} serve`);
  }

  /** The unit of the service starts once a boot, as soon as the gate lets it. */
  #gate(agent: Agent): void {
    const { name, setup, state } = agent;
    if (this.#setups.get(name) !== setup) {
      this.#setups.set(name, setup);
      if (setup.sameBoot === false) this.#wanted.set(name, true);
    }
    if (state.role !== "active" || !this.#wanted.get(name)) return;
    if (!gateView(state, "").open) return;
    this.#wanted.set(name, false);
    agent.serves(true);
  }
}
