/**
 * The provider for the embedded remote copy: asks the process `mirrorbeat remotecopy` over its
 * control socket. Whatever keeps it from answering in time is a value, and proves nothing.
 */
import { realClock } from "../host/clock.ts";
import { type Answer, request } from "../host/unix-server.ts";
import { type Command, parseView, takesMs } from "./command.ts";
import { evidenceOf, type PairAnswer, type PairProvider } from "./provider.ts";

export function embeddedProvider(
  control: string,
  nowMs: () => number = realClock.nowMs,
): PairProvider {
  return {
    async query(deadlineMs): Promise<PairAnswer> {
      const observedMs = nowMs();
      const answer = await askCopy(control, { name: "query", ms: 0 }, deadlineMs);
      if (!answer.ok) return { ok: false, reason: answer.message };
      const view = parseView(answer.value);
      if (!view) return { ok: false, reason: `${control}: not the answer of a remote copy` };
      const { state, percent, lastCopyAgoMs, cause } = view;
      const evidence = evidenceOf(state);
      return { ok: true, state, evidence, observedMs, percent, lastCopyAgoMs, cause };
    },
  };
}

export function askCopy(control: string, command: Command, deadlineMs: number): Promise<Answer> {
  const { name, ms } = command;
  return request(control, takesMs(name) ? { command: name, ms } : { command: name }, deadlineMs);
}
