/**
 * From what a cluster says of an image to the common pair state. `rbd info` tells at once which
 * role the image has here; how the copy is doing is what the two rbd-mirror daemons wrote into
 * this cluster last, each line with its own age.
 *
 * Invariant: paired only if the mode is journal, one end alone is primary, that end's daemon says
 * stopped because its image is primary, and the other's says replaying; both still report.
 */
import type { PairRole, PairState, PairView } from "../provider.ts";
import { type ImageInfo, type ImageStatus, replayOf, type SiteStatus } from "./parse.ts";

export type Meaning = {
  readonly local: PairView;
  /** null where the other site's daemon does not report. */
  readonly remote: PairView | null;
  /** Of the older of the lines that this rests on. */
  readonly ageMs: number;
};

type Conclusion = { readonly state: PairState; readonly cause: string; readonly behind?: number };

/** Clocks of the clusters and of this host may differ by so much. */
const clockSlackMs = 5000;

const unknown = (cause: string): Conclusion => ({ state: "unknown", cause });
const isPrimaryText = "local image is primary";
const isDemotedText = /^remote image (demoted|is non-primary|is not primary)$/;
const nativeOf = (site: SiteStatus | null): string =>
  site ? `${site.up ? "up" : "down"}+${site.word}` : "no status";
const saysPrimary = (site: SiteStatus): boolean =>
  site.word === "stopped" && site.description === isPrimaryText;
const oneLine = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, 200);

/** The line of the end that receives: it alone knows how the copy is doing. */
function ofReceiver(site: SiteStatus): Conclusion {
  switch (site.word) {
    case "replaying": {
      const replay = replayOf(site.description);
      if (!replay) return unknown(`not understood: ${oneLine(site.description)}`);
      return {
        state: "paired",
        cause: "",
        ...(replay.behind !== null && { behind: replay.behind }),
      };
    }
    case "syncing":
    case "starting_replay":
      return { state: "copying", cause: "" };
    case "error":
      return { state: "suspended-by-error", cause: oneLine(site.description) || "error" };
    default:
      return unknown(`${nativeOf(site)}: ${oneLine(site.description)}`);
  }
}

function conclude(info: ImageInfo, status: ImageStatus, wallMs: number): Conclusion {
  const { mirroring } = info;
  const [peer] = status.peers;
  const { local } = status;
  if (mirroring?.mode === "snapshot") {
    return unknown("mirrored by snapshots, minutes apart: of no use for heartbeats");
  }
  if (mirroring?.mode !== "journal") return unknown("whether the mode is journal is not told");
  if (mirroring.state !== "enabled") return unknown(`mirroring is ${oneLine(mirroring.state)}`);
  if (!local) return unknown("the rbd-mirror daemon of this cluster has no status of the image");
  const torn = [local, peer].find((site) => site?.description.includes("split-brain"));
  if (torn) return { state: "suspended-by-error", cause: oneLine(torn.description) };
  if (!local.up)
    return unknown(`the rbd-mirror daemon of this cluster is gone (${nativeOf(local)})`);
  if (!peer) return unknown("no other site reports");
  if (mirroring.primary && saysPrimary(local) && saysPrimary(peer)) {
    const cause = "both ends are primary; Ceph does not tell which was promoted by force";
    return { state: "takeover", cause };
  }
  if (!peer.up) return unknown(`the other site's rbd-mirror daemon is gone (${nativeOf(peer)})`);
  const late = [local, peer].find(
    ({ updatedMs }) => (updatedMs ?? Infinity) > wallMs + clockSlackMs,
  );
  if (late) return unknown("its time is missing or yet to come: the clocks disagree");
  const [sender, receiver] = mirroring.primary ? [local, peer] : [peer, local];
  const concluded = ofReceiver(receiver);
  if (saysPrimary(sender) || concluded.state === "suspended-by-error") return concluded;
  if (!mirroring.primary && isDemotedText.test(local.description)) {
    return { state: "suspended-by-operator", cause: "neither end is primary" };
  }
  return unknown(`${nativeOf(local)} here, ${nativeOf(peer)} there: they do not agree`);
}

/** Percent in "bootstrapping, IMAGE_SYNC/COPY_OBJECTS 43%". */
function percentOf(state: PairState, receiver: SiteStatus | null): number | null {
  if (state === "paired") return 100;
  const found = state === "copying" && /(\d{1,3})%/.exec(receiver?.description ?? "");
  return found && Number(found[1]) <= 100 ? Number(found[1]) : null;
}

type Side = {
  readonly role: PairRole;
  readonly own: SiteStatus | null;
  /** The line that tells how the copy is doing. */
  readonly receiver: SiteStatus | null;
  readonly far: boolean;
};

function viewOf(
  { role, own, receiver, far }: Side,
  { state, cause, behind }: Conclusion,
): PairView {
  const primary = role === "primary";
  const copies = state === "paired" || state === "copying";
  const lags = state === "copying" || (behind !== undefined && behind > 0);
  const isSync = lags ? false : syncOf(primary, behind);
  return {
    state,
    role,
    readable: primary || (state === "paired" && !far) ? true : null,
    writable: role === "unknown" ? null : primary,
    inSync: copies ? isSync : null,
    percent: percentOf(state, receiver),
    lastCopyAgoMs: null,
    native: `${role}, ${nativeOf(own)}`,
    cause,
  };
}

/** The secondary cannot know what it has not been sent. */
const syncOf = (primary: boolean, behind: number | undefined): boolean | null =>
  primary && behind === 0 ? true : null;

const noPair = (native: string, exists: boolean, cause: string): PairView => ({
  state: "simplex",
  role: "none",
  readable: exists,
  writable: exists,
  inSync: null,
  percent: null,
  lastCopyAgoMs: null,
  native,
  cause,
});

export const simplexMeaning = (): Meaning => ({
  local: noPair("mirroring disabled", true, ""),
  remote: null,
  ageMs: 0,
});

/** At the reader's site the image is made by rbd-mirror, and removed by it. */
export const absentMeaning = (): Meaning => ({
  local: noPair("no such image", false, "rbd-mirror makes it once the other end is mirrored"),
  remote: null,
  ageMs: 0,
});

/** `info` must be of a mirrored image. */
export function meaningOf(info: ImageInfo, status: ImageStatus, wallMs: number): Meaning {
  const told = conclude(info, status, wallMs);
  const { local } = status;
  const peer = status.peers[0] ?? null;
  const isPrimary = info.mirroring?.primary ?? false;
  const receiver = isPrimary ? peer : local;
  const here: Side = {
    role: isPrimary ? "primary" : "secondary",
    own: local,
    receiver,
    far: false,
  };
  // The line of a daemon that is gone grows old for ever, and nothing rests on it.
  const speaking = [local, peer?.up ? peer : null];
  const times = speaking.flatMap((site) => (site?.updatedMs ? [site.updatedMs] : []));
  return {
    local: viewOf(here, told),
    remote: peer?.up ? viewOf({ role: roleOf(peer), own: peer, receiver, far: true }, told) : null,
    ageMs: Math.max(0, ...times.map((ms) => wallMs - ms)),
  };
}

/** Of the other end, by its own daemon's words. */
function roleOf(peer: SiteStatus): PairRole {
  if (saysPrimary(peer)) return "primary";
  return peer.word === "stopped" ? "unknown" : "secondary";
}
