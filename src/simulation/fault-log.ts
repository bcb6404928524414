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

  get active(): readonly Happened[] {
    return this.all.filter(({ toMs }) => toMs === null);
  }
}
