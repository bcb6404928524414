/**
 * Follows a key file that is changed while the agent runs. It asks for the file's identity now and
 * then instead of using notifications, which miss a file that is replaced by a rename. A file that
 * cannot be used is reported once; the caller goes on with the keys that it has.
 */
import { stat } from "node:fs/promises";
import type { Refusal } from "../core/base/exit-codes.ts";
import { type KeySet, loadKeys } from "./key-file.ts";

export type KeyWatch = {
  readonly file: string;
  readonly everyMs: number;
  /** The keys in use when the watch begins. */
  readonly current: KeySet;
  readonly onChange: (keys: KeySet) => void;
  readonly onRefusal: (refusal: Refusal) => void;
};

async function fingerprint(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

function sameKeys(one: KeySet, other: KeySet): boolean {
  const ids = ({ signing, accepted }: KeySet) =>
    [signing.id, ...accepted.map((key) => key.id).sort()].join(" ");
  return ids(one) === ids(other);
}

/** Begins to watch; the function returned ends it. */
export function watchKeys(watch: KeyWatch): () => void {
  let seen = "";
  let current = watch.current;
  let refused = "";
  let ended = false;

  const look = async (): Promise<void> => {
    const now = await fingerprint(watch.file);
    if (ended || now === seen) return;
    seen = now;
    const loaded = loadKeys(watch.file);
    if (!loaded.ok) {
      if (loaded.refusal.message !== refused) watch.onRefusal(loaded.refusal);
      refused = loaded.refusal.message;
      return;
    }
    const isNews = refused !== "" || !sameKeys(current, loaded.keys);
    refused = "";
    current = loaded.keys;
    if (isNews) watch.onChange(loaded.keys);
  };

  let timer: NodeJS.Timeout;
  const plan = (): void => {
    timer = setTimeout(() => {
      void look().finally(() => {
        if (!ended) plan();
      });
    }, watch.everyMs);
    timer.unref();
  };
  plan();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
