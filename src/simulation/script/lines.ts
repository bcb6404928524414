/**
 * The lines of a scenario file. Comments begin with "#". A line of four hyphens stands between
 * commands and what was told of them, which goes on to the next blank line. Only that is ever
 * rewritten: all other lines are kept byte for byte.
 */

export const outputMark = "----";

export type CommandLine = {
  /** From 1. */
  readonly line: number;
  readonly words: readonly string[];
};

/** Lines of a file in their order; those of "output" stand below a mark. */
export type Part =
  | {
      readonly kind: "text";
      readonly lines: readonly string[];
      readonly commands: readonly CommandLine[];
    }
  | { readonly kind: "output"; readonly lines: readonly string[] };

const isBlank = (line: string): boolean => line.trim() === "";

function commandOf(raw: string, line: number): CommandLine | null {
  const words = raw.trim().split(/\s+/);
  const [first = ""] = words;
  return first === "" || first.startsWith("#") ? null : { line, words };
}

export function partsOf(text: string): readonly Part[] {
  const parts: Part[] = [];
  let lines: string[] = [];
  let isOutput = false;
  let firstLine = 1;
  const close = (nextLine: number): void => {
    const commands = lines.flatMap((raw, index) => commandOf(raw, firstLine + index) ?? []);
    const marked = commands.filter(({ words }) => words[0] !== outputMark);
    parts.push(isOutput ? { kind: "output", lines } : { kind: "text", lines, commands: marked });
    lines = [];
    firstLine = nextLine;
  };
  text.split("\n").forEach((raw, index) => {
    const line = index + 1;
    if (isOutput && isBlank(raw)) {
      close(line);
      isOutput = false;
    }
    lines.push(raw);
    if (!isOutput && raw.trim() === outputMark) {
      close(line + 1);
      isOutput = true;
    }
  });
  close(0);
  return parts;
}

/** The file again; `outputs` in the order of its marks. */
export function textOf(parts: readonly Part[], outputs: readonly (readonly string[])[]): string {
  const left = [...outputs];
  return parts
    .flatMap((part) => (part.kind === "text" ? part.lines : (left.shift() ?? part.lines)))
    .join("\n");
}
