/** The captures of fixtures/remotecopy: what each command printed at each moment. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const folder = path.resolve("fixtures/remotecopy");

export type Capture = {
  readonly name: string;
  /** By command, as it was typed. */
  readonly said: Readonly<Record<string, { stdout: string; stderr: string; code: number }>>;
};

export const commands = {
  events2: "drbdsetup events2 --now --statistics hba",
  text: "drbdsetup status hba --verbose --statistics",
  json: "drbdsetup status hba --json",
  show: "drbdsetup show hba",
} as const;

/** Real DRBD 8.4, captured by `./build.sh lab drbd story --captures`. */
export function captures84(): readonly Capture[] {
  const files = readdirSync(path.join(folder, "drbd84")).filter((file) => file.endsWith(".txt"));
  return files.sort().map((file) => {
    const text = readFileSync(path.join(folder, "drbd84", file), "utf8");
    const parts = [...text.matchAll(/^\$ (.*)\n([^]*?)#stderr\n([^]*?)#exit (\d+)\n/gm)];
    const said = parts.map(([, command = "", stdout = "", stderr = "", code]) => [
      command,
      { stdout, stderr, code: Number(code) },
    ]);
    return { name: path.basename(file, ".txt"), said: Object.fromEntries(said) };
  });
}

/** Documented DRBD 9. */
export function json9(): readonly { readonly name: string; readonly text: string }[] {
  const files = readdirSync(path.join(folder, "drbd9")).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => ({
    name: path.basename(file, ".json"),
    text: readFileSync(path.join(folder, "drbd9", file), "utf8"),
  }));
}
