/**
 * Text of a configuration as people see it again: always ASCII, so that a serial console shows it
 * and no control character of a file reaches a terminal.
 */
import type { ConfigNode } from "./config-tree.ts";

const shownLengthMax = 48;

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '"' || character === "\\") return `\\${character}`;
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (code >= 0x20 && code < 0x7f) return character;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** A TOML basic string: reading it again gives `value`. */
export function tomlString(value: string): string {
  return `"${[...value].map(escapeCharacter).join("")}"`;
}

/** A value in a message: quoted, and cut where it is long. */
export function shown(value: string): string {
  const text = tomlString(value);
  return text.length <= shownLengthMax ? text : `${text.slice(0, shownLengthMax - 4)}..."`;
}

/** A key as it would be written in TOML: bare where that is possible. */
export function shownKey(key: string): string {
  return /^[A-Za-z0-9_-]{1,48}$/.test(key) ? key : shown(key);
}

/** What stands at a place, for "expected X, found Y". */
export function nodeInWords(node: ConfigNode): string {
  switch (node.kind) {
    case "text":
      return `the text ${shown(node.value)}`;
    case "number":
      return `the number ${node.value}`;
    case "flag":
      return String(node.value);
    case "date":
      return "a date";
    case "list":
      return isListOfTables(node) ? "an array of tables" : "an array";
    case "table":
      return "a table";
  }
}

export function isListOfTables(node: ConfigNode): boolean {
  return (
    node.kind === "list" &&
    node.items.length > 0 &&
    node.items.every((item) => item.kind === "table")
  );
}
