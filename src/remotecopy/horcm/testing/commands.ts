/**
 * HORCM's commands on the two arrays, with the exit codes that are documented, traps included:
 * a takeover that exits 225 although it happened, a group status that hides PSUS, a question that
 * never ends because the other site is down.
 */
import {
  type Arrays,
  type End,
  instances,
  otherEnd,
  primaryOf,
  progress,
  setHalf,
  setPair,
  setSimplex,
  type Volume,
} from "./arrays.ts";
import { displayText, layoutOf } from "./layouts.ts";

export type Answer =
  | { readonly kind: "ends"; readonly code: number; readonly out: string; readonly error: string }
  | { readonly kind: "never" }
  /** It dies before it can say what it did. */
  | { readonly kind: "dies" };

const done = (code = 0, out = ""): Answer => ({ kind: "ends", code, out, error: "" });

type Call = {
  readonly arrays: Arrays;
  readonly program: string;
  readonly args: readonly string[];
  readonly end: End;
  readonly device: string | null;
  readonly volumes: readonly Volume[];
};

const codes = {
  CMDRJE: 221, INVVOL: 222, VOLCRE: 223, VOLCUR: 225, INVSTP: 228, EWSTOT: 233, EWSUSE: 234,
  ENQVOL: 236, ENOGRP: 239, ENORMT: 242, ENODEV: 246, ATTHOR: 251, UNWOPT: 252, REQARG: 254,
} as const; // biome-ignore format: a table
type Code = keyof typeof codes;

const fail = (program: string, name: Code): Answer => ({
  kind: "ends",
  code: codes[name],
  out: "",
  error: `${program}: [EX_${name}]\n[EX_${name}]\n`,
});

const has = ({ args }: Call, option: string): boolean => args.includes(option);
const after = (args: readonly string[], option: string): string | null => {
  const at = args.indexOf(option);
  return at < 0 ? null : (args[at + 1] ?? null);
};

const isReachable = ({ arrays, end }: Call): boolean => arrays.instances[otherEnd(end)] === "up";
const statuses = ({ volumes, end }: Call): readonly string[] =>
  volumes.map((volume) => volume[end].status);
const roles = ({ volumes, end }: Call): readonly string[] =>
  volumes.map((volume) => volume[end].role);
const all = (values: readonly string[], ...wanted: readonly string[]): boolean =>
  values.every((value) => wanted.includes(value));

function pairdisplay(call: Call): Answer {
  const { arrays, end, device, args } = call;
  const layout = layoutOf(args);
  const show = (...sides: readonly ("L" | "R")[]) =>
    displayText(arrays, end, { device, sides }, layout);
  let answer: Answer;
  if (has(call, "-l")) answer = done(0, show("L"));
  else if (arrays.instances[otherEnd(end)] === "down") return { kind: "never" };
  else if (!isReachable(call)) {
    const failed = fail("pairdisplay", "ENORMT");
    answer = failed.kind === "ends" ? { ...failed, out: show("L") } : failed;
  } else answer = done(0, show("L", "R"));
  progress(arrays);
  return answer;
}

/** One status for a whole group; this order is what lets PAIR hide PSUS. */
const groupOrder = ["COPY", "RCPY", "PSUE", "PDUB", "PFUL", "PAIR", "PFUS", "PSUS"];
const fine: Readonly<Record<string, number>> = {
  COPY: 2, RCPY: 2, PAIR: 3, PSUS: 4, PSUE: 5, PDUB: 6, PFUL: 7, PFUS: 8,
}; // biome-ignore format: a table

function pairvolchk(call: Call): Answer {
  const shown = roles(call);
  if (new Set(shown).size !== 1) return fail("pairvolchk", "ENQVOL");
  if (shown[0] === "SMPL") {
    return done(has(call, "-ss") ? 11 : 1, "pairvolchk : Volstat is SMPL.[status = SMPL]\n");
  }
  // SSUS and SSWS are both SVOL_PSUS to it.
  const called = statuses(call).map((name) => (/^SS(US|WS)$/.test(name) ? "PSUS" : name));
  const status = groupOrder.find((name) => called.includes(name)) ?? "PSUS";
  const { fence } = call.arrays;
  const out = `pairvolchk : Volstat is ${shown[0]}.[status = ${status} fence = ${fence} ]\n`;
  if (!has(call, "-ss")) return done(shown[0] === "P-VOL" ? 2 : 3, out);
  const tens = (shown[0] === "P-VOL" ? 20 : 30) + (fence === "ASYNC" ? 20 : 0);
  return done(tens + (fine[status] ?? 4), out);
}

function paircreate(call: Call): Answer {
  const { arrays, args, volumes, end } = call;
  const local = has(call, "-vl");
  if (local === has(call, "-vr")) return fail("paircreate", "REQARG");
  const fence = after(args, "-f")?.toUpperCase();
  if (fence === undefined) return fail("paircreate", "REQARG");
  if (!isReachable(call)) return fail("paircreate", "ENORMT");
  if (all(statuses(call), "COPY", "PAIR", "PFUL")) return done();
  if (!all(statuses(call), "SMPL")) return fail("paircreate", "INVSTP");
  if (!arrays.isLinkUp) return fail("paircreate", "CMDRJE");
  arrays.fence = fence as Arrays["fence"];
  for (const volume of volumes) setPair(volume, local ? end : otherEnd(end), "COPY", "COPY");
  return done();
}

function suspendForSwapping(call: Call): Answer {
  const { arrays, volumes, end } = call;
  if (!all(roles(call), "S-VOL")) return fail("pairsplit", "INVVOL");
  if (all(statuses(call), "COPY")) return fail("pairsplit", "INVSTP");
  for (const volume of volumes) {
    setHalf(volume, end, "S-VOL", "SSWS");
    const far = volume[otherEnd(end)];
    if (arrays.isLinkUp && far.status === "PAIR") setHalf(volume, otherEnd(end), "P-VOL", "PSUS");
  }
  return done();
}

function forget(call: Call): Answer {
  const { arrays, volumes, end } = call;
  if (has(call, "-R")) {
    if (!all(roles(call), "S-VOL")) return fail("pairsplit", "INVVOL");
    for (const volume of volumes) setSimplex(volume, end);
    return done();
  }
  if (!isReachable(call)) return fail("pairsplit", "ENORMT");
  for (const volume of volumes) {
    // It is the P-VOL's array that is told; what it cannot reach keeps its half.
    const primary = primaryOf(volume);
    if (arrays.isLinkUp) setSimplex(volume, "writer", "reader");
    else if (primary) setSimplex(volume, primary);
  }
  return done();
}

function pairsplit(call: Call): Answer {
  const { arrays, volumes } = call;
  if (has(call, "-RS")) return suspendForSwapping(call);
  if (has(call, "-R") || has(call, "-S")) return forget(call);
  if (!isReachable(call)) return fail("pairsplit", "ENORMT");
  if (all(roles(call), "SMPL")) return fail("pairsplit", "INVVOL");
  if (all(statuses(call), "PDUB")) return fail("pairsplit", "CMDRJE");
  for (const volume of volumes) {
    const primary = primaryOf(volume);
    if (!primary || !["PAIR", "PFUL", "COPY"].includes(volume[primary].status)) continue;
    setHalf(volume, primary, "P-VOL", "PSUS");
    if (!arrays.isLinkUp) continue;
    setHalf(volume, otherEnd(primary), "S-VOL", "SSUS");
    if (has(call, "-rw")) volume[otherEnd(primary)].mark = "W";
  }
  return done();
}

const suspended = ["PSUS", "PSUE", "PFUS", "PDUB"];

function pairresync(call: Call): Answer {
  const { arrays, volumes, end } = call;
  if (!isReachable(call)) return fail("pairresync", "ENORMT");
  if (!arrays.isLinkUp) return fail("pairresync", "CMDRJE");
  const isSwap = has(call, "-swaps") || has(call, "-swapp");
  const secondary = has(call, "-swaps") ? end : otherEnd(end);
  for (const volume of volumes) {
    const primary = primaryOf(volume);
    if (!primary || (isSwap && primary === secondary)) return fail("pairresync", "INVVOL");
    const far = volume[otherEnd(primary)].status;
    if (!suspended.includes(volume[primary].status)) return fail("pairresync", "INVSTP");
    if (isSwap !== (far === "SSWS")) return fail("pairresync", "CMDRJE");
  }
  for (const volume of volumes) {
    const primary = primaryOf(volume) as End;
    volume.percent = 0;
    setPair(volume, isSwap ? otherEnd(primary) : primary, "COPY", "COPY");
  }
  return done();
}

function horctakeover(call: Call): Answer {
  const { arrays, volumes, end, args } = call;
  if (!has(call, "-S")) return fail("horctakeover", "UNWOPT"); // nobody lets it choose here
  if (all(roles(call), "SMPL")) return fail("horctakeover", "VOLCRE");
  if (!all(roles(call), "S-VOL")) return fail("horctakeover", "INVVOL");
  if (arrays.fence === "ASYNC" && after(args, "-t") === null) return fail("horctakeover", "REQARG");
  const own = statuses(call);
  if (all(own, "SSWS")) return done(0);
  if (own.includes("COPY")) return fail("horctakeover", "VOLCUR");
  const far = volumes.map((volume) => volume[otherEnd(end)].status);
  const isWell = arrays.isLinkUp && isReachable(call) && all(far, "PAIR", "PFUL");
  for (const volume of volumes) {
    if (isWell) setPair(volume, end, "PAIR", "PAIR");
    else setHalf(volume, end, "S-VOL", "SSWS");
  }
  if (isWell) return done(1);
  // The trap: with these fences the S-VOL may lag, so that it "fails" although it is SSWS now.
  const mayLag = arrays.fence === "NEVER" || !all(own, "PAIR", "PFUL");
  return mayLag ? fail("horctakeover", "VOLCUR") : done(5);
}

const waits: Readonly<Record<string, number>> = {
  SMPL: 1, COPY: 2, PAIR: 3, PFUL: 3, PSUS: 4, SSUS: 4, SSWS: 4, PFUS: 4, PSUE: 5, PDUB: 5,
}; // biome-ignore format: a table

function pairevtwait(call: Call): Answer {
  const [status = "SMPL"] = statuses(call);
  if (has(call, "-nowait")) return done(waits[status] ?? 5);
  progress(call.arrays);
  progress(call.arrays);
  if (all(statuses(call), "PAIR", "PFUL")) return done();
  return fail("pairevtwait", /^PSU|^SSU|^PFUS/.test(status) ? "EWSUSE" : "EWSTOT");
}

const programs: Readonly<Record<string, (call: Call) => Answer>> = {
  pairdisplay, pairvolchk, paircreate, pairsplit, pairresync, horctakeover, pairevtwait,
}; // biome-ignore format: a list
export const programNames = Object.keys(programs);
const asking = ["pairdisplay", "pairvolchk", "pairevtwait"];

const garbage = "\u0001\ufffd?? Segmentation fault <html>PAIR PAIR P-VOL</html>\n%PAIR 100\n";

function spoiled(answer: Answer, how: Arrays["faults"]["writer"]["answers"]): Answer {
  if (answer.kind !== "ends" || how === "well") return answer;
  if (how === "never") return { kind: "never" };
  if (how === "garbage") return { ...answer, code: 0, out: garbage };
  return { ...answer, out: answer.out.slice(0, Math.floor(answer.out.length / 2)) };
}

/** A command that changes something, under the fault that waits for it. */
function change(call: Call, run: (call: Call) => Answer): Answer {
  const fault = call.arrays.faults[call.end];
  const { next } = fault;
  fault.next = "well";
  if (next === "lies") return done();
  const answer = run(call);
  if (next === "killed") return { kind: "dies" };
  return next === "fails" ? fail(call.program, "VOLCUR") : answer;
}

/** One command, as a shell would give it; `arrays` is changed in place. */
export function perform(
  arrays: Arrays,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Answer {
  arrays.log.push([program, ...args].join(" "));
  const instance = args.find((arg) => /^-IH\d+$/.test(arg))?.slice(3) ?? env["HORCMINST"];
  const end = (["writer", "reader"] as const).find((each) => String(instances[each]) === instance);
  const run = programs[program];
  if (!run || end === undefined) return fail(program, run ? "ATTHOR" : "UNWOPT");
  const fault = arrays.faults[end];
  if (fault.answers === "never") return { kind: "never" };
  if (arrays.instances[end] !== "up") return fail(program, "ATTHOR");
  if (after(args, "-g") !== arrays.group) return fail(program, "ENOGRP");
  const device = after(args, "-d");
  const volumes = arrays.volumes.filter((each) => device === null || each.device === device);
  if (volumes.length === 0) return fail(program, "ENODEV");
  // ShadowImage's pairs of the same volumes: there are none.
  const shown = env["HORCC_MRCF"] === undefined ? arrays : structuredClone(arrays);
  if (shown !== arrays) for (const volume of shown.volumes) setSimplex(volume, "writer", "reader");
  const call: Call = { arrays: shown, program, args, end, device, volumes };
  return spoiled(asking.includes(program) ? run(call) : change(call, run), fault.answers);
}
