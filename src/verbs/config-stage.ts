/** `config stage`, `unstage` and `switch`: another configuration while everything runs. */
import path from "node:path";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { command, configFor } from "./agent-client.ts";
import { commandAndFollow, waitMsOf } from "./install.ts";
import { usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const askMs = 5000;

export type StageValues = {
  readonly host?: string | undefined;
  readonly json?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly wait?: string | undefined;
};

export async function stageVerb(
  action: "stage" | "unstage" | "switch",
  file: string,
  values: StageValues,
  io: VerbIo,
): Promise<ExitCode> {
  const waitMs = waitMsOf(values.wait);
  if (waitMs === null) return usageError(io, "config", "--wait takes seconds");
  // Where the agent answers stands in the file, which may be the new one: that part is the same.
  const loaded = configFor("config", { config: file, host: values.host }, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  const json = values.json === true;
  if (action === "switch") {
    const wish = { what: "reconfigure", mirror: "", force: values.force === true } as const;
    return commandAndFollow("config", config, wish, waitMs, json, io);
  }
  const staged = action === "stage" ? path.resolve(file) : null;
  const code = await command("config", config, { op: "stage", file: staged }, askMs, json, io);
  if (code === exitCodes.ok && action === "stage" && !json) {
    io.out("next: stage it at every other host, then at one: mirrorbeat config switch\n");
  }
  return code;
}
