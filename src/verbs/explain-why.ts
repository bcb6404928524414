/** What each row of the verdict table means to the person who has to act on it. */
import type { Row } from "../core/verdict.ts";

type Words = { readonly why: string; readonly next: string };

export const words: Readonly<Record<Row, Words>> = {
  "0": {
    why:
      "The peer's newest signed record gives the term away, or says that it failed and has " +
      "stopped its service. That is positive evidence, stronger than any silence.",
    next: "mirrorbeat takeover",
  },
  "0b": {
    why:
      "The peer beats and says that it failed, but not that its service is stopped. It may " +
      "still write, so nobody may take over yet.",
    next: "stop the service at the peer; it becomes row 0 once it says so",
  },
  "0c": {
    why: "The peer said that it stops in order. A planned stop is never a failure.",
    next: "nothing; it counts again from its next start",
  },
  "1": { why: "The peer's heartbeats arrive on every enabled path.", next: "nothing" },
  "2": {
    why:
      "The copied volume still shows new heartbeats, so the peer lives and only the network " +
      "between the sites is down. Taking over now would make two active sites.",
    next: "repair the network; the disk path carries on meanwhile",
  },
  "2b": {
    why: "The network path is switched off, and the copied volume shows new heartbeats.",
    next: "nothing",
  },
  "3": {
    why:
      "The network proves that the peer lives; the array has suspended the copy, so the remote " +
      "link between the arrays is the fault.",
    next: "repair the remote link, then resynchronise the pair",
  },
  "3b": {
    why:
      "The network proves that the peer lives; the pair is split or copying, so the volume " +
      "cannot show new heartbeats.",
    next: "nothing while it is planned; else resynchronise the pair",
  },
  "3c": {
    why:
      "The network proves that the peer lives, yet its heartbeats do not reach the copy though " +
      "the pair is not suspended: the link, or the peer's writing of its own volume, is at fault.",
    next: "mirrorbeat examine the PVOL at the peer, then the SVOL here",
  },
  "4": {
    why:
      "The network proves that the peer lives; what this host reads from its copy is damaged, " +
      "foreign or not readable at all.",
    next: "mirrorbeat examine the SVOL here",
  },
  "5": {
    why:
      "This host's own polling was too irregular for its word on a silence to be taken: the " +
      "silence may be its own.",
    next: "let another host judge; look for load, hung reads or a stopped machine here",
  },
  "6": {
    why:
      "Nothing is heard by network, and the copied volume cannot be read here. A storage fault " +
      "at this site looks just the same.",
    next: "mirrorbeat examine the SVOL here; repair it before anything else",
  },
  "7": {
    why:
      "Nothing is heard by network, and the pair is split or copying: its volume would be silent " +
      "however well the peer is. This silence proves nothing.",
    next: "ask at the other site by telephone; then, if it is down, mirrorbeat takeover",
  },
  "8": {
    why:
      "The pair is in copy, and a beacon of that site advanced on the same volume after this " +
      "host fell silent: the link works, so the silent host does not write. It is not writing, " +
      "which is not the same as dead.",
    next: "mirrorbeat takeover, unless an arbiter denies it",
  },
  "9": {
    why:
      "All paths are silent, and nothing proves that the remote link works. A dead site and a " +
      "cut of both links look exactly alike from here.",
    next: "ask at the other site by telephone, or get an arbiter's grant; then mirrorbeat takeover",
  },
  "10": {
    why: "The only enabled path is the network, and it is silent. One path alone proves nothing.",
    next: "ask at the other site by telephone; enable a mirror path for the next time",
  },
  "11": {
    why: "Both kinds of path are switched off, so there is nothing to judge by.",
    next: "enable the network or a mirror: mirrorbeat enable",
  },
};

export const actionWords = {
  none: "nothing is to be done",
  notify: "tell the operator; never a takeover",
  hold: "hold; no automatic takeover",
  eligible: "eligible: may ask for the right to take over; not yet a takeover",
  refuse: "refuse to arm",
} as const;
