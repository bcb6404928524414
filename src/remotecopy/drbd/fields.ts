/** The cells "key:value" of DRBD's text forms. A key that comes twice is not understood. */
import { notUnderstood } from "./facts.ts";

export class Fields {
  private readonly values = new Map<string, string>();
  private readonly what: string;

  constructor(what: string, cells: readonly string[] = []) {
    this.what = what;
    this.add(cells);
  }

  add(cells: readonly string[]): void {
    for (const cell of cells) {
      const colon = cell.indexOf(":");
      const key = cell.slice(0, colon);
      if (colon < 1 || !/^[a-z][a-z_-]*$/.test(key)) notUnderstood(`${this.what}: cell`, cell);
      if (this.values.has(key)) notUnderstood(`${this.what}: twice`, key);
      this.values.set(key, cell.slice(colon + 1));
    }
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  get(key: string): string {
    return this.values.get(key) ?? notUnderstood(`${this.what}: without`, key);
  }

  /** Printed only now and then, or by some versions only. */
  optional<T>(key: string, parse: (what: string, value: string) => T): T | null {
    const value = this.values.get(key);
    return value === undefined ? null : parse(`${this.what}: ${key}`, value);
  }
}

export function yesOrNo(what: string, value: string): boolean {
  if (value === "yes") return true;
  return value === "no" ? false : notUnderstood(what, value);
}

export function percentOf(what: string, value: string): number {
  const percent = /^\d{1,3}(\.\d{1,2})?$/.test(value) ? Number(value) : Number.NaN;
  return percent <= 100 ? percent : notUnderstood(what, value);
}
