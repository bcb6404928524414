/** `enable` and `disable`: paths and hosts, while the agent runs. */
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { clientOptions, command, configFor } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = (verb: string) => `mirrorbeat ${verb} network | mirror NAME | host NAME
                 [--config FILE] [--host NAME] [--json]

  ${verb === "enable" ? "Switches a path or host on: it is watched anew, from now." : "Switches a path or host off: nothing is sent there and nothing judged."}
  Acts on the running agent of this host, and is kept over its restarts.
  ${verb === "enable" ? "" : "The peers are told first, so that no alarm is raised there. "}A host named
  here is a peer, or this host itself (it then beats no more).

exit codes
  0 done   64 no such path or host   69 no agent runs   78 configuration
  124 no answer in time
`;
const deadlineMs = 15_000;

export async function switchVerb(
  verb: "enable" | "disable",
  args: readonly string[],
  io: VerbIo,
): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, clientOptions);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help(verb));
    return exitCodes.ok;
  }
  const [kind, name, ...rest] = positionals;
  const named = kind === "mirror" || kind === "host";
  if (rest.length > 0 || (kind !== "network" && !named) || named !== (name !== undefined)) {
    return usageError(io, verb, "say network, mirror NAME or host NAME");
  }
  const loaded = configFor(verb, values, io);
  if (!loaded.ok) return loaded.code;
  const question = {
    op: "switch",
    on: verb === "enable",
    target: named ? { kind, name } : { kind },
  };
  return command(verb, loaded.config, question, deadlineMs, values.json ?? false, io);
}
