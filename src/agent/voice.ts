/**
 * The agent's voice: every event to standard error and to the journal, neither of which can make
 * it wait.
 */
import type { Config } from "../core/base/config.ts";
import { type CoreEvent, eventLine, eventText, levels } from "../core/base/event.ts";
import { realClock, wallText } from "../host/clock.ts";
import { openJournal } from "../host/journal.ts";
import { lineWriter, openStandardError } from "../host/line-writer.ts";

const stderrLinesMax = 500;
const flushMs = 1000;

export type Voice = {
  readonly tell: (event: CoreEvent) => void;
  readonly recent: () => readonly string[];
  readonly journalFault: () => string | null;
  readonly flushed: () => Promise<unknown>;
  /** Called for each event: to write the state file. */
  onEvent: (() => void) | null;
};

export function voiceOf(config: Config): Voice {
  const stderr = lineWriter(openStandardError(), stderrLinesMax);
  const journal = openJournal({
    folder: config.stateFolder,
    bytesMax: config.journalBytesMax,
    onFault: (fault) => {
      const fields = { ok: fault === null, reason: fault ?? "written again" };
      say({ level: fault === null ? "notice" : "error", ev: "journal", fields });
    },
  });
  const say = (event: CoreEvent): void =>
    stderr.line(`<${levels[event.level]}>${eventText(event)}`);
  const voice: Voice = {
    tell(event) {
      say(event);
      journal.append(eventLine(wallText(realClock.wallNs()), event));
      voice.onEvent?.();
    },
    recent: () => journal.recent(),
    journalFault: () => journal.fault,
    flushed: () => Promise.all([stderr.flushed(flushMs), journal.flushed(flushMs)]),
    onEvent: null,
  };
  return voice;
}
