/** Both ends of the stand-in's pair, with its providers: as programs, or in this process. */
import type { EndSettings } from "../../../core/base/pair-settings.ts";
import type { ProgramEnd } from "../../../host/program.ts";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import type { OpenPair, ProviderContext } from "../../open-provider.ts";
import type { PairProvider } from "../../provider.ts";
import { HorcmProvider, type Run } from "../../horcm.ts";
import { type Arrays, instances } from "./arrays.ts";
import { perform } from "./commands.ts";

type Make = (context: ProviderContext) => PairProvider;

const queryLimitMs = 3000;
const changeLimitMs = 30_000;

export function openEnds(
  folder: string,
  settings: EndSettings,
  make: Make,
): Readonly<Record<MirrorEnd, OpenPair>> {
  const open = (end: MirrorEnd): OpenPair => {
    const own = { group: "HBA", instance: instances[end], fence: "never", folder, ...settings };
    const count = Number(settings["volumes"] ?? 1);
    const [serial, first] = end === "writer" ? ["411001", 0x1a01] : ["422002", 0x2b01];
    const expected = Array.from({ length: count }, (_, at) => {
      return `${serial}/${(Number(first) + at).toString(16)}`;
    }).join(",");
    const context = {
      mirror: "m",
      end,
      own,
      peer: own,
      device: "/dev/hb",
      peerDevice: "/dev/hb",
      nowMs: realClock.nowMs,
    };
    return { provider: make(context), end, expected, queryLimitMs, changeLimitMs };
  };
  return { writer: open("writer"), reader: open("reader") };
}

/** The stand-in's commands without their processes; what never ends is overdue at once. */
export function runOn(
  arrays: Arrays,
  seen?: (command: readonly string[], env: object | undefined) => void,
): Run {
  return (command, { env }): Promise<ProgramEnd> => {
    seen?.(command, env);
    const [file = "", ...args] = command;
    const answer = perform(arrays, file.slice(file.lastIndexOf("/") + 1), args, env);
    if (answer.kind === "never") return Promise.resolve({ kind: "overdue", stderr: "" });
    if (answer.kind === "dies") {
      return Promise.resolve({ kind: "killed", signal: "SIGKILL", stderr: "" });
    }
    return Promise.resolve({
      kind: "exited",
      code: answer.code,
      stdout: answer.out,
      stderr: answer.error,
      truncated: false,
    });
  };
}

export const endsOn = (arrays: Arrays, settings: EndSettings = {}, run = runOn(arrays)) =>
  openEnds(
    "/stand-in",
    { volumes: arrays.volumes.length, ...settings },
    (context) => new HorcmProvider(context, run),
  );
