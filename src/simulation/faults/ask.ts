/** How an operator in a simulated world asks an agent for something, and what may truly be said. */
import { isLeased } from "../../core/base/config.ts";
import type { Input } from "../../core/step/state.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";
import { untilDone } from "./setting.ts";

/** Then nobody waits any longer; longer than any lease of the set-ups, with all steps after it. */
const patienceMs = 240_000;

export type Asked = { readonly code: number | null; readonly message: string };

/** The answer is shown to whoever watches the world. */
export function ask(
  world: SimulatedWorld,
  one: Host,
  text: string,
  input: (id: number, nowMs: number) => Input,
  onAnswer: (asked: Asked) => void = () => undefined,
): void {
  let isOver = false;
  const over = (asked: Asked): void => {
    if (isOver) return;
    isOver = true;
    world.watch({ kind: "command", host: one.name, text, ...asked });
    onAnswer(asked);
  };
  const { agent } = one;
  void one.ask(input).then(over);
  // Whoever waits at its control socket sees it closed.
  untilDone(world, () => {
    if (!isOver && one.agent !== agent) over({ code: 69, message: "the agent ended" });
    return isOver;
  });
  world.time.after(patienceMs, () => over({ code: null, message: "nobody answered" }));
}

/** Sites that may hold the service. */
export const servingSites = ({ config }: SimulatedWorld): readonly string[] =>
  config.sites.filter(({ role }) => role !== "witness").map(({ name }) => name);

export const otherSite = (world: SimulatedWorld, site: string): string | null =>
  servingSites(world).find((name) => name !== site) ?? null;

/** Under a lease an operator may ask at any time: it is taken over only when that is safe. */
export const asksFreely = ({ config }: SimulatedWorld): boolean => isLeased(config.policy);

export type TakeoverWish = { readonly force?: boolean; readonly peerIsOff?: string };

export function askTakeover(
  world: SimulatedWorld,
  one: Host,
  { force = false, peerIsOff = "" }: TakeoverWish,
  onAnswer?: (asked: Asked) => void,
): void {
  const words = ["takeover", force && "--force", peerIsOff && `--peer-is-off ${peerIsOff}`];
  const text = [...words.filter((word) => word), "--yes"].join(" ");
  ask(
    world,
    one,
    text,
    (id, nowMs) => ({ kind: "takeover", nowMs, id, force, peerIsOff }),
    onAnswer,
  );
}

/** The host that serves, as it says itself; null where none does. */
export function servingHost(world: SimulatedWorld): Host | null {
  const found = [...world.hosts.values()].find(
    ({ state, isBeating }) => isBeating && state?.role === "active" && state.servesHere,
  );
  return found ?? null;
}
