/**
 * Why a record was not believed is told rightly (docs/format.md): each reason only where something
 * was there, or had been, that leaves such records behind, on that very path. So a record that was
 * torn is called that, and no forgery; and nothing of our own is called foreign.
 *
 * "replayed" and "regression" are left out: what is merely late, or lost, is told so too.
 */
import type { Rejection } from "../../core/record.ts";
import type { CheckerKind } from "../checker.ts";
import type { Happened } from "../fault-log.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import { networkName } from "./ways.ts";

type Leaves = {
  /** "named": the mirror that the fault's target names. */
  readonly on: "network" | "named" | "mirrors" | "all";
  readonly reasons: readonly Rejection[];
};

const strange: readonly Rejection[] = [
  "foreign-cluster", "foreign-volume", "misplaced", "wrong-site", "wrong-host", "forged",
  "reserved-not-zero",
]; // biome-ignore format: one list

/** By the name of the fault: what its records are called, by the order of the checks. */
export const leftBy: Readonly<Record<string, Leaves>> = {
  "write-torn": { on: "named", reasons: ["checksum", "not-a-record"] },
  "bit-flip": { on: "named", reasons: ["checksum", "not-a-record"] },
  "write-astray": { on: "named", reasons: ["misplaced", "not-a-record"] },
  "cables-swapped": { on: "mirrors", reasons: ["foreign-volume", "not-a-record"] },
  "volume-remapped": { on: "mirrors", reasons: ["foreign-volume", "not-a-record"] },
  "wrong-key": { on: "all", reasons: ["unknown-key"] },
  "strangers-pvol": { on: "named", reasons: strange },
  "strangers-svol": { on: "named", reasons: strange },
  "strangers-datagrams": { on: "network", reasons: strange },
  forgery: {
    on: "network",
    reasons: [
      "forged", "unknown-key", "checksum", "not-a-record", "version-newer", "version-older",
      "foreign-cluster", "foreign-volume", "misplaced", "wrong-site",
    ], // biome-ignore format: one list
  },
  // They were for others.
  replay: { on: "network", reasons: ["misplaced"] },
  "replay-at-start": { on: "network", reasons: ["misplaced"] },
  flood: { on: "network", reasons: ["short", "long", "not-a-record"] },
};

const looked: ReadonlySet<string> = new Set(
  Object.values(leftBy).flatMap(({ reasons }) => reasons),
);

function isOn({ on }: Leaves, path: string, target: string): boolean {
  if (on === "all") return true;
  if (on === "network") return path === networkName;
  // "mirror", or "host:mirror".
  return path !== networkName && (on === "mirrors" || target.split(":").at(-1) === path);
}

class Reasons extends Judge {
  /** Found before: what was left behind stays for the rest of a history. */
  private readonly known = new Set<string>();

  private isLeft(path: string, reason: string): boolean {
    const key = `${path} ${reason}`;
    if (this.known.has(key)) return true;
    const has = ({ name, target }: Happened): boolean => {
      const leaves = leftBy[name];
      const reasons: readonly string[] = leaves?.reasons ?? [];
      return leaves !== undefined && reasons.includes(reason) && isOn(leaves, path, target);
    };
    const isLeft = this.faults.all.some(has);
    if (isLeft) this.known.add(key);
    return isLeft;
  }

  private told(host: string, path: string, reason: string): void {
    if (!looked.has(reason)) return;
    this.count("reason told");
    if (!this.isLeft(path, reason))
      this.report(`${host} calls a record on ${path} ${reason}, and nothing left such a one there`);
  }

  watch(watched: Watched): void {
    if (watched.kind === "step" && watched.input.kind === "rejected") {
      this.told(watched.host, watched.input.path, watched.input.reason);
    } else if (watched.kind === "told" && watched.event.ev === "path") {
      const { path, reason } = watched.event.fields;
      if (reason !== undefined) this.told(watched.host, String(path), String(reason));
    }
  }
}

export const reasons: CheckerKind = {
  name: "reasons",
  words: "a record is not believed for a reason that is not true",
  cases: ["reason told"],
  make: (world, faults, report) => new Reasons(world, faults, report),
};
