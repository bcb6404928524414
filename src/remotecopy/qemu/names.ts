/** How the parts of one end are called inside its daemon; all but three follow from the job's name. */
import type { EndSettings } from "../../core/base/pair-settings.ts";
import { textOf } from "../open-provider.ts";

export type Names = {
  /** Node of the volume, and the node above it that hosts use. */
  readonly volume: string;
  readonly front: string;
  /** Between the two at a secondary: fails each write of a host. */
  readonly guard: string;
  /** Mirror job and its filter, at the primary. */
  readonly job: string;
  readonly filter: string;
  /** At the primary: the other end's replica, as NBD client. */
  readonly target: string;
  /** At the secondary: NBD export that the primary writes to. */
  readonly replica: string;
  /** At the primary: node and export of nothing, which the secondary reads for ever. */
  readonly pulse: string;
  /** At the secondary: the job that reads it, its node, and where it puts what it read. */
  readonly link: string;
  readonly sink: string;
  /** Named objects of the daemon that hold what must be remembered. */
  readonly secondaryMark: string;
  readonly equalMark: string;
  readonly splitMark: string;
  readonly takeoverMark: string;
};

/** Longer ones are refused by the daemon as the name of a node. */
const nodeNameCharsMax = 31;

export function namesOf(settings: EndSettings): Names {
  const job = textOf(settings, "job") ?? "pair";
  return {
    volume: textOf(settings, "node") ?? "vol",
    front: textOf(settings, "front") ?? "front",
    guard: `${job}-guard`,
    job,
    filter: `${job}-filter`,
    target: `${job}-target`,
    replica: textOf(settings, "export") ?? "replica",
    pulse: `${job}-pulse`,
    link: `${job}-link`,
    sink: `${job}-sink`,
    secondaryMark: `${job}.secondary`,
    equalMark: `${job}.equal`,
    splitMark: `${job}.split`,
    takeoverMark: `${job}.takeover`,
  };
}

/** Why the daemon would refuse these names; null where it takes them. */
export function nameFault(names: Names): string | null {
  for (const name of Object.values(names)) {
    if (!/^[A-Za-z][A-Za-z0-9._-]*$/.test(name)) {
      return `"${name}": a name begins with a letter; then letters, digits, ".", "-" and "_"`;
    }
    if (name.length > nodeNameCharsMax) {
      return `"${name}": longer than ${nodeNameCharsMax} characters; choose a shorter job`;
    }
  }
  return null;
}
