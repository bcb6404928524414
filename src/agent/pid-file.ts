/** The pid file: a convenience for init scripts; that an agent runs is told by its lock. */
import { unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Config } from "../core/base/config.ts";
import { pidFileName } from "./names.ts";

export function writePid(config: Config): void {
  try {
    writeFileSync(path.join(config.runFolder, pidFileName), `${process.pid}\n`, { mode: 0o644 });
  } catch {
    // nobody depends on it
  }
}

export function removePid(config: Config): void {
  try {
    unlinkSync(path.join(config.runFolder, pidFileName));
  } catch {
    // it was not written, or is gone
  }
}
