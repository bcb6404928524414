/**
 * A fencing program of somebody else's: it must make sure that the other site is down, and say so.
 *
 * It is run without a shell, with PATH and
 *
 *   MIRRORBEAT_PEER  the site that must be down
 *   MIRRORBEAT_SITE  the site that asks
 *   MIRRORBEAT_TERM  the term in which it asks
 *   MIRRORBEAT_VERB  "ask"
 *
 * Exit code 0 **and** the last line of its output "down PEER" are a grant; exit code 1 is a denial;
 * anything else is unknown. Both are wanted, so that neither a forgotten `exit` nor a program that
 * is not meant for this can pass for a fence.
 *
 * A fence is a deed, not a state: `holds` cannot be told and `release` has nothing to give back.
 * So the program remembers its last grant: it stands for its term until it is released, and after
 * a restart it is unknown. A site fenced in this way must not return by itself; its boot gate
 * keeps its service down until it has seen the term.
 */
import { type ProgramEnd, runProgram } from "../host/program.ts";
import { denied, granted, leftOf, oneAtATime, unknown } from "./answers.ts";
import type { Arbiter, ArbiterAnswer, ArbiterRequest, CommandSettings } from "./arbiter.ts";

const keepBytesMax = 65_536;
const deniedCode = 1;

const lastLineOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .findLast((line) => line !== "") ?? "";

/** What an ended program is worth. */
export function judgeFence(program: string, peer: string, end: ProgramEnd): ArbiterAnswer {
  switch (end.kind) {
    case "not-started":
      return unknown(end.reason);
    case "overdue":
      return unknown(`${program}: did not end in time and was killed; ${peer} may yet go down`);
    case "killed":
      return unknown(`${program}: was ended by ${end.signal}`);
    case "exited": {
      const said = lastLineOf(end.stdout);
      const why = said || lastLineOf(end.stderr) || "it said nothing";
      if (end.code === deniedCode) return denied(`${program}: refused: ${why}`);
      if (end.code !== 0) return unknown(`${program}: exit code ${end.code}: ${why}`);
      if (end.truncated) return unknown(`${program}: said more than ${keepBytesMax} bytes`);
      if (said !== `down ${peer}`)
        return unknown(`${program}: exit code 0, but its last line is not "down ${peer}": ${why}`);
      return granted(`${program}: ${said}`);
    }
  }
}

export function openCommand(settings: CommandSettings): Arbiter {
  const [program = "no program"] = settings.command;
  const once = oneAtATime();
  let last: { readonly peer: string; readonly term: bigint } | null = null;

  const ask = async (request: ArbiterRequest): Promise<ArbiterAnswer> => {
    const { site, peer, term } = request;
    last = null;
    const end = await runProgram(settings.command, {
      limitMs: leftOf(settings.limitMs, request)(),
      keepBytesMax,
      env: {
        MIRRORBEAT_PEER: peer,
        MIRRORBEAT_SITE: site,
        MIRRORBEAT_TERM: String(term),
        MIRRORBEAT_VERB: "ask",
      },
    });
    const answer = judgeFence(program, peer, end);
    if (answer.kind === "granted") last = { peer, term };
    return answer;
  };

  const holds = async ({ peer, term }: ArbiterRequest): Promise<ArbiterAnswer> => {
    if (last?.peer === peer && last.term === term)
      return granted(`${program}: ${peer} was fenced in term ${term}`);
    return unknown(`${program}: has fenced nothing in term ${term} since this start`);
  };

  return {
    ask: (request) => once(() => ask(request)),
    holds,
    release: async () => {
      last = null;
      return granted(
        `${program}: nothing is held; a fenced site comes back when it is switched on`,
      );
    },
    describe: [
      `MIRRORBEAT_PEER=PEER MIRRORBEAT_SITE=SITE MIRRORBEAT_TERM=TERM ${settings.command.join(" ")}`,
      'granted only by exit code 0 and the last line "down PEER"',
    ],
  };
}
