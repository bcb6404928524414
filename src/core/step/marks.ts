/** High-water marks: the oldest position that may still be believed of each host, on each path. */
import { comparePositions, type Position } from "../record.ts";
import type { Peer, State } from "./state.ts";

/** The highest position ever believed of a host, by path name. */
export function keptMarks(peer: Peer): Readonly<Record<string, Position>> {
  const marks: Record<string, Position> = { ...peer.marks };
  for (const [path, { position }] of Object.entries(peer.sightings)) {
    const mark = marks[path];
    if (position && (!mark || comparePositions(position, mark) > 0)) marks[path] = position;
  }
  return marks;
}

/** The same for every peer, by "host path": what the shell keeps for our next start. */
export function highWaterMarks(state: State): Readonly<Record<string, Position>> {
  return Object.fromEntries(
    state.peers.flatMap((peer) =>
      Object.entries(keptMarks(peer)).map(([path, mark]) => [`${peer.host.name} ${path}`, mark]),
    ),
  );
}
