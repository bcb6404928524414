/** Lines for a terminal of 80 columns. */

export const columns = 80;

/** Words of a text in lines; all but the first are indented by `indent`. */
export function wrapText(text: string, indent = 0, width = columns): readonly string[] {
  const lines: string[] = [];
  const margin = " ".repeat(indent);
  let line = "";
  for (const word of text.split(" ")) {
    const candidate = line === "" ? word : `${line} ${word}`;
    const room = lines.length === 0 ? width : width - indent;
    if (line !== "" && candidate.length > room) {
      lines.push(lines.length === 0 ? line : margin + line);
      line = word;
    } else {
      line = candidate;
    }
  }
  lines.push(lines.length === 0 ? line : margin + line);
  return lines;
}

export type Column = {
  readonly title: string;
  readonly align: "left" | "right";
};

/** Rows under titles, each column as wide as its widest value; no trailing blanks. */
export function tableLines(
  table: readonly Column[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = table.map(({ title }, at) =>
    rows.reduce((most, row) => Math.max(most, row[at]?.length ?? 0), title.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return table[at]?.align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(" ")
      .trimEnd();
  return [line(table.map(({ title }) => title)), ...rows.map(line)];
}
