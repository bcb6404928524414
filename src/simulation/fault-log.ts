/** Which faults are there, and which were lately; and whether something was left in peace. */
import type { Touch } from "./fault.ts";

export type Happened = {
  readonly name: string;
  readonly target: string;
  readonly touches: readonly Touch[];
  readonly fromMs: number;
  /** null while it lasts. */
  toMs: number | null;
};

const keyOf = (touch: Touch): string => JSON.stringify(touch);

export class FaultLog {
  readonly all: Happened[] = [];
  private readonly byTouch = new Map<string, Happened[]>();

  begin(name: string, target: string, touches: readonly Touch[], nowMs: number): Happened {
    const happened: Happened = { name, target, touches, fromMs: nowMs, toMs: null };
    this.all.push(happened);
    for (const touch of touches) {
      const key = keyOf(touch);
      const known = this.byTouch.get(key);
      if (known) known.push(happened);
      else this.byTouch.set(key, [happened]);
    }
    return happened;
  }

  /** It did not apply, and nothing happened. */
  forget(happened: Happened): void {
    const without = (list: Happened[]): void => {
      const at = list.indexOf(happened);
      if (at >= 0) list.splice(at, 1);
    };
    without(this.all);
    for (const touch of happened.touches) without(this.byTouch.get(keyOf(touch)) ?? []);
  }

  /** Whether none of these was touched at any time from then until then, but by `except`. */
  isQuiet(
    touches: readonly Touch[],
    fromMs: number,
    toMs: number,
    except: readonly Happened[] = [],
  ): boolean {
    return touches.every((touch) =>
      (this.byTouch.get(keyOf(touch)) ?? []).every(
        (one) =>
          except.includes(one) || one.fromMs > toMs || (one.toMs !== null && one.toMs < fromMs),
      ),
    );
  }

  /** The last moment at which any of these was touched; infinite while one is. */
  touchedMs(touches: readonly Touch[]): number {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const touch of touches) {
      for (const { toMs } of this.byTouch.get(keyOf(touch)) ?? []) {
        lastMs = Math.max(lastMs, toMs ?? Number.POSITIVE_INFINITY);
      }
    }
    return lastMs;
  }

  /** The same of anything at all. */
  anyMs(): number {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const { toMs } of this.all) lastMs = Math.max(lastMs, toMs ?? Number.POSITIVE_INFINITY);
    return lastMs;
  }

  get active(): readonly Happened[] {
    return this.all.filter(({ toMs }) => toMs === null);
  }
}
