/**
 * Two arrays with one device group between them, and what happens to them by themselves: a link
 * that dies, writes that notice it, copies that come to their end. Values only; the commands of
 * HORCM are in commands.ts, what they print in layouts.ts.
 *
 * Behaviour as documented: a dead link alone changes nothing; the first write makes the P-VOL
 * PSUE, the S-VOL stays PAIR, and becomes PSUE only after its array's own time-out.
 */

export type End = "writer" | "reader";
export const otherEnd = (end: End): End => (end === "writer" ? "reader" : "writer");
export const instances: Readonly<Record<End, number>> = { writer: 10, reader: 11 };

export type Half = {
  serial: string;
  ldev: number;
  port: string;
  file: string;
  role: "SMPL" | "P-VOL" | "S-VOL";
  status: string;
  /** "W": an S-VOL that was opened for writing; "N": one that may not be read. */
  mark: "-" | "W" | "N";
};
export type Volume = { device: string; percent: number; writer: Half; reader: Half };

/** "down": the host does not answer, so that who asks it waits for ever. */
export type Instance = "up" | "dead" | "down";
export type Fault = {
  /** How every command of this end's instance answers. */
  answers: "well" | "never" | "garbage" | "half";
  /** What becomes of the next command that changes anything. */
  next: "well" | "killed" | "fails" | "lies";
};

export type Arrays = {
  group: string;
  volumes: Volume[];
  fence: "NEVER" | "DATA" | "STATUS" | "ASYNC";
  /** Global-active device: the S-VOL is mirrored too, and its I/O mode is shown. */
  globalActive: boolean;
  isLinkUp: boolean;
  instances: Record<End, Instance>;
  faults: Record<End, Fault>;
  clockMs: number;
  /** When the link died. */
  cutMs: number | null;
  /** Of the journal; above 80 it is PFUL, above 100 PFUS. */
  journalPercent: number;
  /** Every command that was given, as it was given. */
  log: string[];
};

const simplex = { role: "SMPL", status: "SMPL", mark: "-" } as const;
const well = (): Fault => ({ answers: "well", next: "well" });

export function freshArrays(group = "HBA", devices: readonly string[] = ["hb_a"]): Arrays {
  const volumes = devices.map((device, at): Volume => ({
    device,
    percent: 0,
    writer: {
      serial: "411001", ldev: 0x1a01 + at, port: "CL1-A-1", file: `sd${"bcdefgh"[at] ?? "z"}`,
      ...simplex,
    },
    reader: {
      serial: "422002", ldev: 0x2b01 + at, port: "CL3-B-1", file: `sd${"bcdefgh"[at] ?? "z"}`,
      ...simplex,
    },
  })); // biome-ignore format: two ends alike
  return {
    group,
    volumes,
    fence: "NEVER",
    globalActive: false,
    isLinkUp: true,
    instances: { writer: "up", reader: "up" },
    faults: { writer: well(), reader: well() },
    clockMs: 0,
    cutMs: null,
    journalPercent: 0,
    log: [],
  };
}

export const ends = ["writer", "reader"] as const;

/** Where the volume's P-VOL is; null where neither end says so. */
export const primaryOf = (volume: Volume): End | null =>
  ends.find((end) => volume[end].role === "P-VOL") ?? null;

export function setHalf(volume: Volume, end: End, role: Half["role"], status: string): void {
  Object.assign(volume[end], { role, status, mark: "-" });
}

/** Both ends at once, the primary at `primary`. */
export function setPair(volume: Volume, primary: End, p: string, s: string): void {
  setHalf(volume, primary, "P-VOL", p);
  setHalf(volume, otherEnd(primary), "S-VOL", s);
}

export function setSimplex(volume: Volume, ...at: readonly End[]): void {
  for (const end of at) setHalf(volume, end, "SMPL", "SMPL");
  volume.percent = 0;
}

/** A little time goes by: copies come to their end while the link is up. */
export function progress(arrays: Arrays): void {
  if (!arrays.isLinkUp) return;
  for (const volume of arrays.volumes) {
    const primary = primaryOf(volume);
    if (primary === null || volume[primary].status !== "COPY") continue;
    volume.percent = Math.min(100, volume.percent + 50);
    if (volume.percent === 100) setPair(volume, primary, "PAIR", "PAIR");
  }
}

export function cutLink(arrays: Arrays): void {
  arrays.isLinkUp = false;
  arrays.cutMs ??= arrays.clockMs;
}

/** It heals nothing: what was suspended waits for a resync. */
export function mendLink(arrays: Arrays): void {
  arrays.isLinkUp = true;
  arrays.cutMs = null;
  arrays.journalPercent = 0;
  for (const volume of arrays.volumes) {
    const primary = primaryOf(volume);
    if (primary && volume[primary].status === "PFUL") setPair(volume, primary, "PAIR", "PAIR");
  }
}

/** A host writes to every P-VOL; false where the fence level fails the write. */
export function write(arrays: Arrays): boolean {
  if (arrays.isLinkUp) return true;
  if (arrays.fence === "ASYNC") return fillJournal(arrays);
  for (const volume of arrays.volumes) {
    const primary = primaryOf(volume);
    if (primary === null || !["PAIR", "COPY"].includes(volume[primary].status)) continue;
    setHalf(volume, primary, "P-VOL", "PSUE");
  }
  return arrays.fence === "NEVER";
}

function fillJournal(arrays: Arrays): true {
  arrays.journalPercent += 30;
  const status = arrays.journalPercent > 100 ? "PFUS" : arrays.journalPercent > 80 ? "PFUL" : null;
  for (const volume of arrays.volumes) {
    const primary = primaryOf(volume);
    const now = primary && volume[primary].status;
    if (primary && status && (now === "PAIR" || now === "PFUL")) {
      setHalf(volume, primary, "P-VOL", status);
    }
  }
  return true;
}

/** The S-VOL's array notices a dead link by itself, so late. */
export const secondaryNoticesMs = 300_000;

export function advance(arrays: Arrays, ms: number): void {
  arrays.clockMs += ms;
  const { cutMs } = arrays;
  if (cutMs === null || arrays.clockMs - cutMs < secondaryNoticesMs) return;
  for (const volume of arrays.volumes) {
    for (const end of ends) {
      const half = volume[end];
      if (half.role === "S-VOL" && half.status === "PAIR") setHalf(volume, end, "S-VOL", "PSUE");
    }
  }
}
