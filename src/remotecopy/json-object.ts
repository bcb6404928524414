/**
 * The strict reading of one JSON object as text: nothing beside it, no key twice in one object (a
 * damaged text may hold two states, and JSON.parse would take the last).
 */
import { isObject, type JsonObject } from "../host/json-lines.ts";

/** Of text that JSON.parse accepts. */
function repeatsKey(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  let lastText = "";
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const key = String(JSON.parse(lastText));
      const keys = open.at(-1);
      if (keys?.has(key)) return true;
      keys?.add(key);
    } else lastText = token;
  }
  return false;
}

/** null where the text is anything else. */
export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && !repeatsKey(text) ? value : null;
  } catch {
    return null;
  }
}
