/**
 * What faults change, and how it is changed back: whatever other faults did meanwhile, after the
 * last of them all is as it was before the first.
 */
import type { End } from "../fault.ts";
import type { Random } from "../random.ts";
import type { SimulatedWorld } from "../world.ts";

type Layers = { readonly before: unknown; readonly values: { readonly value: unknown }[] };
const layered = new WeakMap<object, Map<PropertyKey, Layers>>();

/** One property is that value for a while. Of several faults the last that began is in force. */
export function setFor<O extends object, K extends keyof O>(owner: O, name: K, value: O[K]): End {
  const all = layered.get(owner) ?? new Map<PropertyKey, Layers>();
  layered.set(owner, all);
  const layers = all.get(name) ?? { before: owner[name], values: [] };
  all.set(name, layers);
  const layer = { value };
  layers.values.push(layer);
  owner[name] = value;
  return once(() => {
    layers.values.splice(layers.values.indexOf(layer), 1);
    const top = layers.values.at(-1);
    if (!top) all.delete(name);
    owner[name] = (top ? top.value : layers.before) as O[K];
  });
}

export function once(end: End): End {
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    end();
  };
}

export const allOf =
  (ends: readonly End[]): End =>
  () => {
    for (const end of ends) end();
  };

/** Again and again until it is ended; each time it says after how many milliseconds. */
export function repeated(world: SimulatedWorld, run: () => number): End {
  let isOver = false;
  const again = (): void => {
    if (!isOver) world.time.after(run(), again);
  };
  again();
  return () => {
    isOver = true;
  };
}

const retryMs = 1000;

/** What cannot be done at any moment: tried until it is true that it is done. */
export function untilDone(world: SimulatedWorld, isDone: () => boolean): void {
  if (!isDone()) world.time.after(retryMs, () => untilDone(world, isDone));
}

/** Whole milliseconds, so that they can be added and taken away again without a rest. */
export const wholeMs = (random: Random, from: number, to: number): number =>
  Math.round(random.between(from, to));
