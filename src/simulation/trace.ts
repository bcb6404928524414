/** A run as one number: the same for the same seed, on every machine and engine. */
import { eventText } from "../core/base/event.ts";
import type { Watched } from "./observation.ts";

/** FNV-1a, 52 bits in two halves: collisions do not matter, differences do. */
export class Trace {
  private high = 0x811c9dc5;
  private low = 0x01000193;

  add(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      this.low = Math.imul(this.low ^ code, 0x01000193);
      this.high = Math.imul(this.high ^ (code + (this.low >>> 24)), 0x85ebca6b);
    }
  }

  watch(watched: Watched, nowMs: number): void {
    const line = lineOf(watched);
    if (line !== null) this.add(`${nowMs.toFixed(3)} ${line}`);
  }

  get hash(): string {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** What is told of a run, one line each; null for what only checkers look at. */
export function lineOf(watched: Watched): string | null {
  switch (watched.kind) {
    case "step":
      return null;
    case "told":
      return `${watched.host} ${eventText(watched.event)}`;
    case "write": {
      const { disk, block, bytes, host } = watched.write;
      return `${host ?? "-"} writes ${disk.name} ${block} ${bytes.readUInt32LE(508)}`;
    }
    case "service":
      return `${watched.host} service ${watched.runs ? "writes" : "ended"}`;
    case "agent":
      return `${watched.host} agent ${watched.what} ${watched.reason}`.trimEnd();
    case "machine":
      return `${watched.host} machine ${watched.what} ${watched.reason}`.trimEnd();
    case "pair":
      return `pair ${watched.pair} changes`;
    case "fault":
      return `fault ${watched.name} ${watched.target} ${watched.on ? "begins" : "ends"}`;
    case "command":
      return `${watched.host} command ${watched.text}: ${watched.code ?? "-"} ${watched.message}`;
  }
}
