/**
 * `pairvolchk -ss` as a second opinion before a change: its exit code is the state, made for
 * scripts, from the same array by another way.
 *
 * It knows less than `pairdisplay -fc`, and these rules say where it may differ:
 *   SSWS   is shown as SVOL_PSUS (34, 54)
 *   SSUS   is SVOL_PSUS too
 *   PFUL   is shown as PAIR (23, 33) by older versions; 47, 57 by newer ones
 *   PFUS   is shown as PSUS (24, 34) by older versions; 48, 58 by newer ones
 *   RCPY   is shown as COPY
 *   group  one code for all its volumes, where PAIR hides PSUS: it cannot prove them alike
 * So it can contradict, and cannot prove: an agreement alone is never taken for `paired`.
 */

export type VolumeCode = {
  readonly role: "SMPL" | "P-VOL" | "S-VOL";
  readonly status: string;
  readonly asynchronous: boolean;
};

const endings: Readonly<Record<number, string>> = {
  2: "COPY",
  3: "PAIR",
  4: "PSUS",
  5: "PSUE",
  6: "PDUB",
};

/** What an exit code of `pairvolchk -ss` says; null for an error and for what is not documented. */
export function readVolumeCode(code: number): VolumeCode | null {
  if (code === 11) return { role: "SMPL", status: "SMPL", asynchronous: false };
  if (code === 47 || code === 48) {
    return { role: "P-VOL", status: code === 47 ? "PFUL" : "PFUS", asynchronous: true };
  }
  if (code === 57 || code === 58) {
    return { role: "S-VOL", status: code === 57 ? "PFUL" : "PFUS", asynchronous: true };
  }
  const tens = Math.floor(code / 10);
  const status = endings[code % 10];
  if (status === undefined || tens < 2 || tens > 5) return null;
  return {
    role: tens === 2 || tens === 4 ? "P-VOL" : "S-VOL",
    status,
    asynchronous: tens >= 4,
  };
}

export type VolumeText = {
  readonly role: "SMPL" | "P-VOL" | "S-VOL";
  readonly status: string | null;
  readonly fence: string | null;
};

const paired =
  /^pairvolchk : Volstat is (P-VOL|S-VOL)\.\[status = ([A-Z]{2,8}) {1,8}fence = ([A-Z]{2,8}) {0,8}\]$/;
const simplex = /^pairvolchk : Volstat is SMPL\.(?:\[status = SMPL\])?$/;

/** Its one line; null where it is not exactly that. */
export function parsePairvolchk(text: string): VolumeText | null {
  if (!text.endsWith("\n")) return null;
  const line = text.replace(/\r?\n$/, "");
  const found = paired.exec(line);
  if (found) {
    return {
      role: found[1] === "P-VOL" ? "P-VOL" : "S-VOL",
      status: found[2] ?? null,
      fence: found[3] ?? null,
    };
  }
  return simplex.test(line) ? { role: "SMPL", status: null, fence: null } : null;
}

/** What else `pairvolchk` may call a status of `pairdisplay`. */
const alsoCalled: Readonly<Record<string, readonly string[]>> = {
  RCPY: ["COPY"],
  PFUL: ["PAIR"],
  PFUS: ["PSUS"],
  SSUS: ["PSUS"],
  SSWS: ["PSUS"],
};

const mayBeCalled = (shown: string, called: string): boolean =>
  shown === called || (alsoCalled[shown]?.includes(called) ?? false);

export type Opinion =
  | { readonly kind: "agrees" }
  | { readonly kind: "contradicts"; readonly words: string }
  /** It failed, or is not understood. */
  | { readonly kind: "none" };

/** `shown`: every status that pairdisplay showed at this end, all of one role. */
export function compareOpinion(
  role: "SMPL" | "P-VOL" | "S-VOL",
  shown: readonly string[],
  end: { readonly code: number; readonly text: string },
): Opinion {
  const code = readVolumeCode(end.code);
  const line = parsePairvolchk(end.text);
  if (code === null || line === null) return { kind: "none" };
  const words = `pairvolchk says ${code.role} ${code.status} (${end.code})`;
  if (line.role !== code.role) return { kind: "contradicts", words: `${words} and ${line.role}` };
  if (code.role !== role) return { kind: "contradicts", words };
  if (role === "SMPL") return { kind: "agrees" };
  const called = [code.status, line.status ?? code.status];
  const fits = called.every((name) => shown.some((status) => mayBeCalled(status, name)));
  return fits ? { kind: "agrees" } : { kind: "contradicts", words };
}
