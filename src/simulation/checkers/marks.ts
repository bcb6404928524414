/**
 * What was believed before an agent's start is remembered over it (docs/safety.md 2): an agent that
 * begins anew takes no position of another host, on any path, below the one that its stored marks
 * named as it began; on a mirror, but for the one step back that is tolerated there. By the network
 * it takes none that is not above it, but for a farewell that is heard again.
 *
 * A host whose files were lost has no marks, and none are asked of it.
 */
import type { Position } from "../../core/record.ts";
import type { Peer } from "../../core/step/state.ts";
import type { CheckerKind } from "../checker.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import { networkName } from "./ways.ts";

type Marks = Readonly<Record<string, Position>>;

const textOf = ({ incarnation, serial }: Position): string => `${incarnation}/${serial}`;

/** Older than the mark by more than the path tolerates. */
function isBelow(path: string, at: Position, mark: Position): boolean {
  if (at.incarnation !== mark.incarnation) return at.incarnation < mark.incarnation;
  return path === networkName ? at.serial <= mark.serial : at.serial + 1n < mark.serial;
}

class KeptMarks extends Judge {
  /** As they were stored when each agent began, by "HOST PATH". */
  private readonly stored = new Map<string, Marks>();

  /** What an agent saw of that host since its start, and before this step not at all. */
  private firstSeen(host: string, marks: Marks, before: Peer, after: Peer): void {
    for (const [path, { position }] of Object.entries(after.sightings)) {
      if (!position || before.sightings[path]?.position) continue;
      const mark = marks[`${after.host.name} ${path}`];
      if (!mark) continue;
      this.count(path === networkName ? "first by the network" : "first on a mirror");
      if (isBelow(path, position, mark)) {
        this.report(
          `${host} begins anew with ${after.host.name} ${textOf(position)} on ${path}, though it had stored ${textOf(mark)}`,
        );
      }
    }
  }

  watch(watched: Watched): void {
    if (watched.kind === "agent" && watched.what === "begins") {
      const { host } = watched;
      this.stored.set(host, this.world.host(host).memory.marks);
      return;
    }
    if (watched.kind !== "step" || watched.before.peers === watched.after.peers) return;
    const { host, before, after } = watched;
    const marks = this.stored.get(host);
    if (!marks || before.config !== after.config) return;
    after.peers.forEach((peer, index) => {
      const was = before.peers[index];
      if (was && peer.sightings !== was.sightings) this.firstSeen(host, marks, was, peer);
    });
  }
}

export const marks: CheckerKind = {
  name: "marks",
  words: "an agent that begins anew believes what is older than what it believed before",
  cases: ["first by the network", "first on a mirror"],
  make: (world, faults, report) => new KeptMarks(world, faults, report),
};
