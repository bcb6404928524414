/** Golden layouts, what is not accepted, and damage to every layout. */
// test-limit-seconds: 120
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parsePairdisplay, type LdevBase } from "./pairdisplay.ts";
import { readSettings } from "./settings.ts";
import { freshArrays, setPair } from "./testing/arrays.ts";
import { damaged, seededRandom } from "./testing/damage.ts";
import { displayText, type Layout } from "./testing/layouts.ts";
import { rowsOfSide, viewOf } from "./view.ts";

const folder = "fixtures/remotecopy/horcm";
const read = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");
const layoutFiles = readdirSync(folder).filter((name) => /-1[06]\.txt$/.test(name));

test("golden layouts are read as recorded", () => {
  assert.ok(layoutFiles.length >= 15, "the layouts are there");
  for (const name of layoutFiles) {
    const base: LdevBase = name.endsWith("-16.txt") ? 16 : 10;
    const found = parsePairdisplay(read(name), base);
    assert.ok(found.ok, `${name}: ${found.ok ? "" : found.reason}`);
    const golden = name.replace(/\.txt$/, ".json");
    const text = `${JSON.stringify(found.ok && found.rows, null, 2)}\n`;
    if (process.env["UPDATE_FIXTURES"]) writeFileSync(`${folder}/${golden}`, text);
    assert.is(read(golden), text, name);
  }
});

test("the same pair is the same in every layout; hexadecimal or decimal", () => {
  const pairs = new Set<string>();
  for (const name of ["cli-fcx-16", "fused-plain-10", "fused-fcxe-newer-16"]) {
    const found = parsePairdisplay(read(`${name}.txt`), name.endsWith("16") ? 16 : 10);
    assert.ok(found.ok);
    for (const row of found.ok ? found.rows : []) {
      pairs.add([row.side, row.serial, row.ldev, row.role, row.status, row.partnerLdev].join());
    }
  }
  assert.equal([...pairs].sort(), [
    "L,411001,1a01,P-VOL,PAIR,2b01",
    "R,422002,2b01,S-VOL,PAIR,1a01",
  ]);
});

const header = "Group PairVol L/R Port# TID LU Seq# LDEV# P/S Status Fence % P-LDEV# M\n";
const good = "HBA hb_a L CL1-A-1 0 7 411001 1a01 P-VOL PAIR NEVER 100 2b01 -\n";

test("what is not exactly a known layout is not believed", () => {
  assert.ok(parsePairdisplay(header + good, 16).ok);
  assert.ok(parsePairdisplay((header + good).replaceAll("\n", "\r\n"), 16).ok);
  const swapped = header.replace("Status Fence", "Fence Status");
  for (const [text, reason] of [
    ["", "nothing"],
    [header, "no volume"],
    [good, "column Group is missing"],
    [(header + good).trimEnd(), "breaks off"],
    [header + good + good, "twice"],
    [header + good + good.replace("hb_a", "hb_b"), "twice"],
    [`${header}\n${good}`, "cells for"],
    [header + good.replace(" -\n", "\n"), "13 cells for 14"],
    [header + good.replace(" 100", ""), "13 cells for 14"],
    [header.replace(" M", "") + good, "M is missing"],
    [header.replace("TID", "TID Status") + good, "twice"],
    [header.replace("TID", "XYZ") + good, "XYZ is unknown"],
    [swapped + good, "out of its order"],
    [header.replace(" M\n", " M NEW CTG\n") + good, "out of its order"],
    [header + good.replace(" L ", " X "), "neither L nor R"],
    [header + good.replace("411001", "41100x"), "no serial"],
    [header + good.replace("1a01", "1g01"), "no LDEV"],
    [header + good.replace("2b01", "zzzz"), "no LDEV"],
    [header + good.replace("P-VOL", "Q-VOL"), "neither P-VOL"],
    [header + good.replace(" 100", " many"), "no percentage"],
    [header + good.replace(" PAIR", " ----"), "without status"],
    [header + good.replace("P-VOL", "SMPL"), "and yet a pair"],
    [header + good.replace("PAIR", "P\u0000IR"), "no plain text"],
    [header + good.repeat(2001), "too long"],
    [header + good.replace("NEVER", "N".repeat(129)), "cell is too long"],
    ["Group PairVol(L/R) Something,Status\nx\n", "no known layout"],
  ] as const) {
    const found = parsePairdisplay(text, 16);
    assert.not(found.ok, `accepted: ${text.slice(0, 200)}`);
    assert.ok(!found.ok && found.reason.includes(reason), found.ok ? "" : found.reason);
  }
  assert.not(parsePairdisplay(header + good, 10).ok, "hexadecimal digits in a decimal layout");
});

const flags = [false, true];
const layouts: readonly Layout[] = flags.flatMap((isCli) =>
  flags.flatMap((hasPercent) =>
    flags.flatMap((isHexadecimal) =>
      flags.flatMap((hasFile) =>
        flags
          .filter((isExtended) => hasPercent || !isExtended)
          .map((isExtended) => ({ isCli, hasPercent, isHexadecimal, hasFile, isExtended })),
      ),
    ),
  ),
);
const nameOf = (layout: Layout): string => JSON.stringify(layout);
const settings = readSettings({ group: "HBA", volumes: 2 });

function textOf(
  layout: Layout,
  first: readonly [string, string],
  second: readonly [string, string],
) {
  const arrays = freshArrays("HBA", ["hb_a", "hb_b"]);
  [first, second].forEach(([p, s], at) => {
    const volume = arrays.volumes[at];
    if (volume && p !== "SMPL") setPair(volume, "writer", p, s);
  });
  return displayText(arrays, "writer", { device: null, sides: ["L"] }, layout);
}

/** What the provider would make of it. */
function judged(text: string, layout: Layout) {
  const parsed = parsePairdisplay(text, layout.isHexadecimal ? 16 : 10);
  if (!parsed.ok) return null;
  const mine = rowsOfSide(parsed.rows, "L", settings);
  const view = mine.ok ? viewOf(mine.rows) : null;
  return view === null || "class" in view ? null : view;
}

test("every layout: read back as printed", () => {
  for (const layout of layouts) {
    for (const [status, state] of [["PAIR", "paired"], ["COPY", "copying"], ["SMPL", "simplex"]]) {
      const text = textOf(layout, [status ?? "", ""], [status ?? "", ""]);
      assert.is(judged(text, layout)?.state, state, `${nameOf(layout)}\n${text}`);
    }
  } // biome-ignore format: three states
});

test("every layout, cut off at every place: never paired", () => {
  for (const layout of layouts) {
    const text = textOf(layout, ["PAIR", "PAIR"], ["PAIR", "PAIR"]);
    for (let at = 0; at < text.length; at++) {
      assert.is.not(judged(text.slice(0, at), layout)?.state, "paired", `${at}: ${nameOf(layout)}`);
    }
  }
});

/** Not paired: no damage may make it so, unless it forges the other word (PFUS is near to PFUL). */
test("10,000 damaged answers of each layout that is not paired: none becomes paired", () => {
  const originals = [
    ["PSUS", "PSUS"], ["PAIR", "PSUS"], ["PAIR", "PSUE"], ["COPY", "COPY"], ["PFUS", "PAIR"],
    ["SMPL", "PAIR"], ["PDUB", "PDUB"],
  ] as const; // biome-ignore format: a table
  for (const [number, layout] of layouts.entries()) {
    const random = seededRandom(number + 1);
    const texts = originals.map(([a, b]) => textOf(layout, [a, a], [b, b]));
    for (let round = 0; round < 10_000; round++) {
      const text = damaged(texts[round % texts.length] ?? "", random);
      const view = judged(text, layout);
      if (view?.state !== "paired") continue;
      assert.ok(text.includes("PFUL"), `${nameOf(layout)} round ${round}:\n${text}`);
    }
  }
});

/** Ways to touch a cell so that its word is no longer there. */
function touched(cell: string, random: (below: number) => number): string {
  const at = random(cell.length);
  const inner = 1 + random(cell.length - 1);
  switch (random(5)) {
    case 0:
      return "";
    case 1:
      return cell.slice(0, at) + cell.slice(at + 1);
    case 2:
      return `${cell.slice(0, at)}${"QXZ09*-."[random(8)]}${cell.slice(at + 1)}`;
    case 3:
      return `${cell.slice(0, inner)}${" QX0-"[random(5)]}${cell.slice(inner)}`;
    default:
      return cell.toLowerCase();
  }
}

test("48,000 answers whose status or role was touched: not what they were", () => {
  for (const [number, layout] of layouts.entries()) {
    const random = seededRandom(1000 + number);
    const text = textOf(layout, ["PAIR", "PAIR"], ["PAIR", "PAIR"]);
    const places = [...text.matchAll(/P-VOL|PAIR(?= )/g)];
    assert.is(places.length, 4, text);
    for (let round = 0; round < 2000; round++) {
      const place = places[random(places.length)];
      if (!place) continue;
      const end = place.index + place[0].length;
      const next = text.slice(0, place.index) + touched(place[0], random) + text.slice(end);
      if (next !== text) assert.is.not(judged(next, layout)?.state, "paired", next);
    }
  }
});

test("damaged golden answers: no exception, whatever the base", () => {
  for (const [number, name] of layoutFiles.entries()) {
    const random = seededRandom(2000 + number);
    const text = read(name);
    for (let round = 0; round < 2000; round++) {
      for (const base of [10, 16] as const) parsePairdisplay(damaged(text, random), base);
    }
  }
});

test.run();
