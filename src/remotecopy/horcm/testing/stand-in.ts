/**
 * One command of HORCM, run as a program: STATE PROGRAM ARGUMENTS... The two arrays are in the
 * file STATE, read before and written after each command.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Arrays } from "./arrays.ts";
import { perform } from "./commands.ts";

export const readArrays = (file: string): Arrays =>
  JSON.parse(readFileSync(file, "utf8")) as Arrays;

/** Whole, so that who reads meanwhile gets the old state or the new one. */
export function writeArrays(file: string, arrays: Arrays): void {
  const next = `${file}.${process.pid}`;
  writeFileSync(next, JSON.stringify(arrays));
  renameSync(next, file);
}

export function main([file = "", program = "", ...args]: readonly string[]): void {
  const arrays = readArrays(file);
  const answer = perform(arrays, program, args, process.env);
  writeArrays(file, arrays);
  if (answer.kind === "dies") process.kill(process.pid, "SIGKILL");
  // It would wait for ever; nothing is left behind if nobody kills it.
  if (answer.kind === "never") setTimeout(() => undefined, 120_000);
  if (answer.kind !== "ends") return;
  process.stdout.write(answer.out);
  process.stderr.write(answer.error);
  process.exitCode = answer.code;
}
