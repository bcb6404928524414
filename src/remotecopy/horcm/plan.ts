/**
 * Which commands a change is made of.
 *
 * swap      `pairsplit -RS` (suspend for swapping), then `pairresync -swaps` (resynchronise for
 *           swapping), both at the S-VOL's end: the two steps that CCI's own swap-takeover is
 *           documented to take. `horctakeover` without -S would choose by itself between this, a
 *           takeover and nothing; here the choice is the caller's. Between the steps the S-VOL is
 *           SSWS: the second is sent only if it is, and where it fails the pair stays taken over,
 *           with no data lost at either end. What is written to the P-VOL between the steps is
 *           overwritten: its users stop first.
 * takeover  `horctakeover -S`, at the S-VOL's end only: SVOL-takeover and nothing else. It waits
 *           for what an asynchronous copy has under way, so that -t is given for that, and only
 *           then.
 * remove    `pairsplit -S`; `-R` forgets the pair at the S-VOL's end alone: only where the other
 *           end does not answer, and by force.
 */
import { type Change, fault, type PairFault, type PairState } from "../provider.ts";
import type { HorcmSettings } from "./settings.ts";
import { isAsynchronous } from "./view.ts";

/** A program and its arguments. */
export type Line = readonly [string, ...string[]];

export type Plan =
  | {
      readonly ok: true;
      readonly lines: readonly Line[];
      /** What must hold just before, by pairdisplay and by pairvolchk. */
      readonly opinion: "needed" | "asked" | "none";
      /** The second line is sent in this state only; otherwise there is no use for it. */
      readonly secondIn: PairState | null;
    }
  | PairFault;

const refuse = (message: string): PairFault => fault("wrong-state", message);

function target({ group, device, instance }: HorcmSettings): readonly string[] {
  const names = device === null ? ["-g", group] : ["-g", group, "-d", device];
  return [...names, `-IH${instance}`];
}

/** A question to this end alone, or to both; LDEV numbers in hexadecimal. */
export function displayLine(settings: HorcmSettings, scope: "local" | "both"): Line {
  const format = settings.globalActive ? "-fcxe" : "-fcx";
  const local = scope === "local" ? ["-l"] : [];
  return ["pairdisplay", ...target(settings), ...local, format, "-CLI"];
}

/** Without -c the partner's serial is shown where the end knows it. */
export const partnerLine = (settings: HorcmSettings): Line => [
  "pairdisplay", ...target(settings), "-l", "-fx", "-CLI",
]; // biome-ignore format: one command

export const opinionLine = (settings: HorcmSettings): Line => [
  "pairvolchk",
  ...target(settings),
  "-ss",
];

function waitLines(settings: HorcmSettings): readonly Line[] {
  const { waitLimitS } = settings;
  if (waitLimitS === 0) return [];
  return [["pairevtwait", ...target(settings), "-s", "pair", "-t", String(waitLimitS)]];
}

function create(settings: HorcmSettings, end: "writer" | "reader"): Plan {
  const { fence, journal } = settings;
  const args = [...target(settings), "-f", fence, end === "writer" ? "-vl" : "-vr"];
  if (journal !== null) {
    const found = /^(\d{1,5}):(\d{1,5})$/.exec(journal);
    if (!found) return fault("config", `journal = "${journal}": two numbers as in "4:4" wanted`);
    if (fence !== "async") return fault("config", 'a journal wants fence = "async"');
    args.push("-jp", found[1] ?? "", "-js", found[2] ?? "");
  }
  const lines: readonly Line[] = [["paircreate", ...args], ...waitLines(settings)];
  return { ok: true, lines, opinion: "asked", secondIn: "copying" };
}

function resync({ before }: Change, settings: HorcmSettings): Plan {
  if (before.local.state === "takeover" || before.remote?.state === "takeover") {
    return refuse(
      "the S-VOL was taken over (SSWS): the array rejects a resync; swap there instead",
    );
  }
  const lines: readonly Line[] = [["pairresync", ...target(settings)], ...waitLines(settings)];
  return { ok: true, lines, opinion: "asked", secondIn: "copying" };
}

function swap({ before }: Change, settings: HorcmSettings): Plan {
  const { local, remote } = before;
  if (local.role !== "secondary") return refuse("a swap is made at the end that is the secondary");
  const again: Line = ["pairresync", ...target(settings), "-swaps"];
  if (local.state === "paired" && remote?.state === "paired") {
    return {
      ok: true,
      lines: [["pairsplit", ...target(settings), "-RS"], again],
      opinion: "needed",
      secondIn: "takeover",
    };
  }
  // The half of a swap that was cut off, or the way back from a takeover.
  if (local.state === "takeover" && remote?.state.startsWith("suspended")) {
    return { ok: true, lines: [again], opinion: "needed", secondIn: null };
  }
  return refuse("both ends must be seen to be paired, or this one taken over and the other split");
}

function takeover({ before }: Change, settings: HorcmSettings): Plan {
  if (before.local.role !== "secondary") return refuse("a takeover is made at the secondary");
  const waits = settings.fence === "async" || isAsynchronous(before.local);
  const limit = waits ? ["-t", String(settings.takeoverLimitS)] : [];
  const line: Line = ["horctakeover", ...target(settings), "-S", ...limit];
  return { ok: true, lines: [line], opinion: "asked", secondIn: null };
}

function remove({ before, force }: Change, settings: HorcmSettings): Plan {
  const { local, remoteFault } = before;
  const unreachable = remoteFault?.class === "peer-unreachable" || remoteFault?.class === "timeout";
  const line = (option: string): Plan => ({
    ok: true,
    lines: [["pairsplit", ...target(settings), option]],
    opinion: "none",
    secondIn: null,
  });
  if (local.role !== "secondary" || !unreachable) return line("-S");
  if (force) return line("-R");
  const message = "the primary's end does not answer; --force forgets the pair at this end alone";
  return fault("peer-unreachable", message);
}

export function planOf(change: Change, settings: HorcmSettings, end: "writer" | "reader"): Plan {
  switch (change.verb) {
    case "create":
      return create(settings, end);
    case "split":
      return {
        ok: true,
        lines: [["pairsplit", ...target(settings), "-r"]],
        opinion: "none",
        secondIn: null,
      };
    case "resync":
      return resync(change, settings);
    case "swap":
      return swap(change, settings);
    case "takeover":
      return takeover(change, settings);
    case "remove":
      return remove(change, settings);
  }
}
