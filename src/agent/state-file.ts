import path from "node:path";
import type { Config } from "../core/base/config.ts";
import { writeFileAtomically } from "../host/atomic-file.ts";
import { stateFileName } from "./names.ts";

const flushMs = 1000;

/** The state for other processes to read when this one is gone: after events, one write at a time. */
export function stateFile(config: Config, status: () => unknown) {
  const file = path.join(config.runFolder, stateFileName);
  const settleMs = 200;
  let planned = false;
  let writing: Promise<unknown> = Promise.resolve();
  const write = (): Promise<unknown> => {
    planned = false;
    writing = writing.then(() =>
      writeFileAtomically(file, Buffer.from(`${JSON.stringify(status())}\n`), 0o600),
    );
    return writing;
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
