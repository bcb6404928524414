// Volumes whose writes can be made to hang: a file in a small file system of its own, which the kernel
// freezes. What was submitted meanwhile lands when it is thawed, as from an array that comes back.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const imageBytes = 8 << 20;
const limitMs = 10_000;
const run = (program, ...args) => promisify(execFile)(program, args, { timeout: limitMs });

/** Whether this machine has what it takes. */
export function canFreeze() {
  try {
    for (const program of ["mkfs.ext4", "fsfreeze", "mount"]) {
      execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    }
    return true;
  } catch {
    return false;
  }
}

export class Freezer {
  constructor(folder) {
    this.folder = folder;
    this.places = new Map(); // mount points, by the name of the volume
    this.holds = new Map();
  }

  /** The folder of a new file system. The reaper of world.mjs knows the names. */
  async make(name) {
    const image = path.join(this.folder, `${name}.img`);
    const place = path.join(this.folder, `frozen-${name}`);
    writeFileSync(image, "");
    truncateSync(image, imageBytes);
    await run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", image);
    mkdirSync(place);
    await run("mount", "-o", "loop", image, place);
    this.places.set(name, place);
    return place;
  }

  get names() {
    return [...this.places.keys()];
  }

  /** Writes hang until each that froze it has thawed it. */
  async freeze(name) {
    const holds = this.holds.get(name) ?? 0;
    this.holds.set(name, holds + 1);
    if (holds === 0) await run("fsfreeze", "-f", this.places.get(name));
  }

  async thaw(name) {
    const holds = this.holds.get(name) - 1;
    this.holds.set(name, holds);
    if (holds === 0) await run("fsfreeze", "-u", this.places.get(name));
  }

  /** Before anything that may wait for a write. */
  async thawAll() {
    for (const place of this.places.values()) {
      await run("fsfreeze", "-u", place).catch(() => undefined); // it was not frozen
    }
  }

  async end() {
    for (const place of this.places.values()) await run("umount", "-l", place);
  }
}
