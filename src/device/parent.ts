/** A process that must not outlive its parent, not even while a foreign call hangs in it. */
import path from "node:path";
import { loadLibrary, pointerTo } from "./foreign.ts";
import { libraryName } from "./native.ts";

/** Why it could not be arranged; null when done. */
export function endWithParent(): string | null {
  const loaded = loadLibrary(path.join(__dirname, libraryName));
  if (!loaded.ok) return loaded.message;
  const unused = pointerTo(Buffer.alloc(8));
  const result = loaded.library.prepare("mirrorbeat_end_with_parent", unused)();
  return result === 0 ? null : `prctl gave ${result}`;
}
