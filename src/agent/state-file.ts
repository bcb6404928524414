import path from "node:path";
import type { Config } from "../core/base/config.ts";
import { writeFileAtomically } from "../host/atomic-file.ts";
import { stateFileName } from "./names.ts";

const flushMs = 1000;

/**
 * The state for other processes to read when this one is gone: after events, one write at a time
 * and one that waits for it. A state that cannot be told is told once, and tried again.
 */
export function stateFile(
  config: Pick<Config, "runFolder">,
  status: () => unknown,
  onFault: (reason: string) => void,
  replace: typeof writeFileAtomically = writeFileAtomically,
) {
  const file = path.join(config.runFolder, stateFileName);
  const settleMs = 200;
  let planned = false;
  let told = false;
  let current: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const writeOnce = async (): Promise<void> => {
    try {
      await replace(file, Buffer.from(`${JSON.stringify(status())}\n`), 0o600);
    } catch (error) {
      if (!told) onFault(`${file}: not written: ${String(error)}`);
      told = true;
    }
  };
  const write = (): Promise<void> => {
    planned = false;
    if (current === null) {
      current = writeOnce().finally(() => {
        current = null;
      });
      return current;
    }
    next ??= current.then(() => {
      next = null;
      return write();
    });
    return next;
  };
  return {
    soon: (): void => {
      if (planned) return;
      planned = true;
      setTimeout(() => void write(), settleMs).unref();
    },
    last: () =>
      Promise.race([write(), new Promise((resolve) => setTimeout(resolve, flushMs).unref())]),
  };
}
