// What the agents wrote into their journals: for the report, never for the judge.
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";

const chunkBytes = 1 << 20;

/** Fields of one line; null where it is no event. */
export function parseEvent(line) {
  const space = line.indexOf(" ");
  const atMs = Date.parse(line.slice(0, space));
  if (space < 0 || Number.isNaN(atMs)) return null;
  const fields = {};
  for (const [, key, value] of line.slice(space + 1).matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S*)/g)) {
    fields[key] = value.startsWith('"') ? value.slice(1, -1) : value;
  }
  return { wallMs: atMs, ...fields };
}

/** A journal that grows: each call gives the events that came since the last one. */
export function tailOf(file) {
  let offset = 0;
  let rest = "";
  return () => {
    if (!existsSync(file)) return [];
    const open = openSync(file, "r");
    const events = [];
    try {
      const { size } = fstatSync(open);
      while (offset < size) {
        const buffer = Buffer.alloc(Math.min(chunkBytes, size - offset));
        offset += readSync(open, buffer, 0, buffer.length, offset);
        const lines = (rest + buffer.toString("latin1")).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const event = parseEvent(line);
          if (event) events.push(event);
        }
      }
    } finally {
      closeSync(open);
    }
    return events;
  };
}

/** The last lines of all machines' journals and of what the campaign did, by time. */
export function mergedJournals(machines, told, count) {
  const lines = machines.flatMap(({ name, journalFile, log }) => {
    const text = existsSync(journalFile) ? readFileSync(journalFile, "latin1") : "";
    return [
      ...text
        .split("\n")
        .filter(Boolean)
        .map((line) => [line, name]),
      ...log.map((line) => [line, ""]),
    ];
  });
  return [...lines, ...told.map((line) => [line, ""])]
    .map(([line, name]) => {
      const space = line.indexOf(" ");
      return `${line.slice(0, space)} ${name.padEnd(2)} ${line.slice(space + 1)}`;
    })
    .sort()
    .slice(-count);
}
