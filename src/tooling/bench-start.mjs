// What a bench run starts, and its sure end: every process by its own pid, every loop device by its
// own name, every folder; in the reverse order, also on Ctrl-C.
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const undo = [];
let undoing = null;

/** To be done at the end of the run, whatever ends it. */
export function atEnd(work) {
  undo.push(work);
}

/** Undoes all that was started since `mark` (0: everything). */
export async function endAll(mark = 0) {
  while (undo.length > mark) {
    try {
      await undo.pop()();
    } catch (error) {
      console.error(`bench: ${error.message}`);
    }
  }
}

export const mark = () => undo.length;

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.on(signal, () => {
    undoing ??= endAll().finally(() => process.exit(code));
  });
}

export const isRoot = process.getuid?.() === 0;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function hasProgram(name) {
  try {
    execFileSync("sh", ["-c", 'command -v -- "$1"', "sh", name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A command that must succeed; its standard output. */
export async function must(command, args, options = {}) {
  const { stdout } = await promisify(execFile)(command, args, { timeout: 30_000, ...options });
  return stdout;
}

export function tempFolder() {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-bench-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A loop device over a new file; { device, file }. */
export async function loopDevice(folder, name, bytes, sectorBytes = 512) {
  const file = path.join(folder, name);
  writeFileSync(file, "");
  truncateSync(file, bytes);
  const args = ["-f", "--show", "-b", String(sectorBytes), file];
  const device = (await must("losetup", args)).trim();
  atEnd(() => detach(device));
  return { device, file };
}

/** A device may be held for a moment by what has just ended. */
async function detach(device) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await must("losetup", ["-d", device]);
    } catch (error) {
      if (attempt === 20) throw error;
      await sleep(100);
    }
  }
}

/** A child that is ended with the run: politely, then after `graceMs` by force. */
export function startChild(command, args, { graceMs = 3000, onLine, ...options } = {}) {
  const stdio = options.stdio ?? ["ignore", "ignore", onLine ? "pipe" : "ignore"];
  const child = spawn(command, args, { ...options, stdio });
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(String(error)));
    child.on("exit", (code, signal) => resolve(signal ?? code));
  });
  const running = { pid: child.pid, alive: true, ended, kill: (signal) => child.kill(signal) };
  void ended.then(() => {
    running.alive = false;
  });
  if (onLine) readLines(child.stderr, onLine);
  running.stop = async () => {
    if (!running.alive) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await ended;
    clearTimeout(timer);
  };
  atEnd(running.stop);
  return running;
}

function readLines(stream, onLine) {
  let rest = "";
  stream.on("data", (data) => {
    const lines = (rest + data).split("\n");
    rest = lines.pop();
    for (const line of lines) onLine(line);
  });
}

export async function until(holds, limitMs, what) {
  for (const end = performance.now() + limitMs; performance.now() < end; await sleep(20)) {
    if (await holds()) return;
  }
  throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
}
