/**
 * A stand-in for what a test must not do to the whole machine: the agent is started by Node itself
 * with a small file required first, which moves the wall clock (read from a file, so that it can be
 * stepped while the agent runs) and may give it the boot id of another boot.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { program } from "./agent-process.ts";
import type { StartOptions, World } from "./agent-world.ts";

const source = `
const fs = require("fs");
const { TEST_CLOCK_FILE, TEST_BOOT_ID } = process.env;
const realNow = Date.now;
const realRead = fs.readFileSync;
const offset = () => {
  try { return Number(realRead(TEST_CLOCK_FILE, "ascii")) || 0; } catch { return 0; }
};
Date.now = () => realNow() + offset();
fs.readFileSync = (file, ...rest) =>
  TEST_BOOT_ID && file === "/proc/sys/kernel/random/boot_id"
    ? TEST_BOOT_ID + "\\n"
    : realRead(file, ...rest);
`;

export type Shim = {
  /** The wall clock of this host, against the real one. */
  setClock(offsetMs: number): void;
  options(bootId?: string): StartOptions;
};

export function shimFor(world: World, host: string): Shim {
  const { folder } = world.host(host);
  const file = path.join(folder, "shim.cjs");
  const clock = path.join(folder, "clock");
  writeFileSync(file, source);
  writeFileSync(clock, "0");
  return {
    setClock: (offsetMs) => writeFileSync(clock, String(offsetMs)),
    options: (bootId = "") => ({
      command: process.execPath,
      args: ["-r", file, `${program}.cjs`],
      env: { TEST_CLOCK_FILE: clock, TEST_BOOT_ID: bootId, NODE_OPTIONS: "" },
    }),
  };
}
