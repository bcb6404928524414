/** Whether a condition of a scenario file holds now; where not, what is instead. */
import { eventText } from "../../core/base/event.ts";
import { detectionBoundMs } from "../../core/base/timing.ts";
import { takeoverBoundMs } from "../../core/base/lease-timing.ts";
import type { SimulatedWorld } from "../world.ts";
import type { Condition } from "./command.ts";
import { outputMark } from "./lines.ts";
import { serving } from "./summary.ts";
import type { ToldEvent, Transcript } from "./transcript.ts";

type Of<K extends Condition["kind"]> = Extract<Condition, { kind: K }>;

const isTakeover = ({ event }: ToldEvent): boolean =>
  event.ev === "takeover" && event.fields["step"] === "begin";
const isAlarm = ({ event }: ToldEvent): boolean =>
  event.ev === "verdict" && event.level === "warning";

function rowFault(world: SimulatedWorld, { host, of, row, action }: Of<"row">): string | null {
  const { state } = world.host(host);
  if (!state) return `${host} has no agent`;
  const peer = state.peers.find((each) => each.host.name === of);
  const verdict = peer ? peer.verdict : state.groups[of];
  if (!verdict) return `${host} does not judge ${of}`;
  const isMet = verdict.row === row && (action === null || verdict.action === action);
  return isMet ? null : `it is row ${verdict.row}, ${verdict.action}`;
}

function servesFault(world: SimulatedWorld, who: string | null): string | null {
  const now = [...world.hosts.values()].filter(({ service }) => service.runs);
  const isMet =
    who === null
      ? now.length === 0
      : now.length > 0 && now.every(({ name, site }) => name === who || site === who);
  return isMet ? null : `${serving(world).join(" and ") || "nobody"} serves`;
}

function boundFault(
  world: SimulatedWorld,
  transcript: Transcript,
  what: "takeover" | "detection",
): string | null {
  const { timing, policy } = world.config;
  const { faultMs } = transcript;
  if (faultMs === null) return "no fault began before";
  const boundMs =
    what === "takeover"
      ? takeoverBoundMs(timing, policy === "witness")
      : detectionBoundMs(timing, 0);
  const found = transcript.events.find(
    (told) => told.atMs >= faultMs && (what === "takeover" ? isTakeover(told) : isAlarm(told)),
  );
  if (!found) return `none was told since the last ${outputMark}`;
  const tookMs = found.atMs - faultMs;
  return tookMs <= boundMs ? null : `it took ${Math.round(tookMs)} ms; the bound is ${boundMs} ms`;
}

function foundText(found: ToldEvent | undefined): string | null {
  return found ? `${found.host} told: ${eventText(found.event)}` : null;
}

function answerFault({ answers }: Transcript, { host, code }: Of<"answer">): string | null {
  const last = answers.filter((answer) => answer.host === host).at(-1);
  if (!last) return `${host} has not answered yet`;
  return last.code === code ? null : `it answered ${last.code ?? "nothing"}`;
}

function toldFault({ texts }: Transcript, { text, isTold }: Of<"told">): string | null {
  const found = texts.find((each) => each.includes(text));
  if (isTold) return found === undefined ? "nothing that holds these words was told" : null;
  return found === undefined ? null : `told was: ${found}`;
}

/** null: it holds. */
export function unmet(
  condition: Condition,
  world: SimulatedWorld,
  transcript: Transcript,
): string | null {
  switch (condition.kind) {
    case "row":
      return rowFault(world, condition);
    case "serves":
      return servesFault(world, condition.who);
    case "role": {
      const role = world.host(condition.host).state?.role ?? "without an agent";
      return role === condition.role ? null : `it is ${role}`;
    }
    case "pair": {
      const { state } = world.pair(condition.pair);
      return state === condition.state ? null : `it is ${state}`;
    }
    case "term": {
      const terms = [...world.hosts.values()].flatMap(({ state }) => state?.term ?? []);
      return terms.every((term) => term === condition.term)
        ? null
        : `terms are ${terms.join(", ")}`;
    }
    case "calm":
      return foundText(transcript.events.find(isTakeover));
    case "no-alarm":
      return foundText(transcript.events.find(isAlarm));
    case "within-bound":
      return boundFault(world, transcript, condition.what);
    case "answer":
      return answerFault(transcript, condition);
    case "told":
      return toldFault(transcript, condition);
  }
}
