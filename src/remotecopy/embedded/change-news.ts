/**
 * The kernel's news that somebody wrote to a volume through this machine: inotify on its path. Only
 * a hint (see pace.ts): writes by another machine, through another name, or by asynchronous I/O are
 * not told. Where it cannot be had there is none.
 */
import { watch } from "node:fs";

export function watchChanges(path: string, onNews: () => void): () => void {
  try {
    const watcher = watch(path, (event) => {
      if (event === "change") onNews();
    });
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
