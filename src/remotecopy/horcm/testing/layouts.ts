/** Prints pairs as `pairdisplay` does, in each of its layouts; values ours, shapes as documented. */
import { type Arrays, type End, otherEnd, type Volume } from "./arrays.ts";

export type Layout = {
  readonly isCli: boolean;
  /** -fc: % instead of the partner's serial. */
  readonly hasPercent: boolean;
  /** -fx */
  readonly isHexadecimal: boolean;
  /** -fd: device files instead of ports. */
  readonly hasFile: boolean;
  /** -fe: journals, paths and I/O mode. */
  readonly isExtended: boolean;
};

export function layoutOf(args: readonly string[]): Layout {
  const letters = args.find((arg) => /^-f[a-z]+$/.test(arg)) ?? "";
  return {
    isCli: args.includes("-CLI"),
    hasPercent: letters.includes("c") || letters.includes("e"),
    isHexadecimal: letters.includes("x"),
    hasFile: letters.includes("d"),
    isExtended: letters.includes("e"),
  };
}

/** GAD's I/O mode of one end. */
function modeOf(arrays: Arrays, volume: Volume, end: End): string {
  const { role, status } = volume[end];
  if (!arrays.globalActive || role === "SMPL") return "-";
  if (status === "PAIR") return "L/M";
  if (status === "SSWS") return "L/L";
  if (role === "P-VOL") return volume[otherEnd(end)].status === "SSWS" ? "B/B" : "L/L";
  return "B/B";
}

type Shown = {
  readonly device: string;
  readonly side: "L" | "R";
  readonly place: readonly string[];
  readonly serial: string;
  readonly ldev: string;
  readonly role: string;
  readonly status: string;
  readonly fence: string;
  /** Percentage or partner's serial, partner, mark, and what -fe adds. */
  readonly tail: readonly string[];
};

function shownOf(arrays: Arrays, volume: Volume, end: End, side: "L" | "R", layout: Layout): Shown {
  const half = volume[end];
  const partner = volume[otherEnd(end)];
  const number = (value: number) => value.toString(layout.isHexadecimal ? 16 : 10);
  const isPair = half.role !== "SMPL";
  const ownTail = isPair
    ? [
        layout.hasPercent
          ? String(volume.percent)
          : half.role === "P-VOL"
            ? partner.serial
            : "-----",
        number(partner.ldev),
        half.mark,
      ]
    : ["-", "-", "-"];
  const more = layout.isExtended
    ? ["-", isPair && arrays.fence === "ASYNC" ? "4" : "-", isPair ? "2" : "-", "-", "-", "-"]
    : [];
  return {
    device: volume.device,
    side,
    place: layout.hasFile ? [half.file] : [half.port, "0", "7"],
    serial: half.serial,
    ldev: number(half.ldev),
    role: half.role,
    status: isPair ? half.status : "-",
    fence: isPair ? arrays.fence : "-",
    tail: [...ownTail, ...more, ...(layout.isExtended ? [modeOf(arrays, volume, end)] : [])],
  };
}

const extended = ["CTG", "JID", "AP", "EM", "E-Seq#", "E-LDEV#", "R/W"];

function cliText(group: string, rows: readonly Shown[], layout: Layout): string {
  const place = layout.hasFile ? ["Device_File"] : ["Port#", "TID", "LU"];
  const header = [
    "Group", "PairVol", "L/R", ...place, "Seq#", "LDEV#", "P/S", "Status", "Fence",
    layout.hasPercent ? "%" : "Seq#", "P-LDEV#", "M", ...(layout.isExtended ? extended : []),
  ]; // biome-ignore format: a header
  const table = rows.map((row) => [
    group, row.device, row.side, ...row.place, row.serial, row.ldev, row.role, row.status,
    row.fence, ...row.tail,
  ]); // biome-ignore format: a row
  const widths = header.map((name, at) =>
    Math.max(name.length, ...table.map((cells) => cells[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join(" ")
      .trimEnd();
  return [header, ...table].map((cells) => `${line(cells)}\n`).join("");
}

function fusedText(group: string, rows: readonly Shown[], layout: Layout): string {
  const place = layout.hasFile ? "Device_File" : "(Port#,TID, LU)";
  const middle = layout.hasPercent ? "   %,P-LDEV# M" : " Seq#,P-LDEV# M";
  const more = layout.isExtended ? ` ${extended.join(" ")}` : "";
  const header = `Group PairVol(L/R) ${place},Seq#,LDEV#.P/S,Status,Fence,${middle}${more}\n`;
  const lines = rows.map((row) => {
    const at = layout.hasFile ? `${row.place[0]}   ` : `(${row.place[0]}, 0,   7)`;
    const ldev = row.ldev.padStart(5);
    const head = `${group}   ${row.device}(${row.side}) ${at}${row.serial} ${ldev}`;
    const [first = "", partner = "", ...rest] = row.tail;
    if (row.role === "SMPL") {
      const tail = ["----", "-", ...rest.slice(1)].join(" ");
      return `${head}.SMPL ---- ------,----- ${tail}\n`;
    }
    const status = `${row.role} ${row.status} ${row.fence.padEnd(5)},`;
    return `${head}.${status} ${first.padStart(4)} ${partner.padStart(5)} ${rest.join(" ")}\n`;
  });
  return header + lines.join("");
}

/** What `pairdisplay` prints at one end: its own rows, and the other end's if it can have them. */
export function displayText(
  arrays: Arrays,
  end: End,
  options: { readonly device: string | null; readonly sides: readonly ("L" | "R")[] },
  layout: Layout,
): string {
  const volumes = arrays.volumes.filter(
    ({ device }) => options.device === null || device === options.device,
  );
  const rows = volumes.flatMap((volume) =>
    options.sides.map((side) =>
      shownOf(arrays, volume, side === "L" ? end : otherEnd(end), side, layout),
    ),
  );
  return (layout.isCli ? cliText : fusedText)(arrays.group, rows, layout);
}
