/**
 * `drbdsetup show RESOURCE`: the configuration that the kernel has, in braces. Of it only the
 * backing disk of one volume is wanted.
 */

export type Shown =
  /** `disk` is null where the volume has none. */
  | { readonly kind: "volume"; readonly disk: string | null }
  | { readonly kind: "no-resource" | "no-volume" | "not-understood" };

export function backingDisk(text: string, resource: string, volume: number): Shown {
  const tokens = text.replaceAll(/#[^\n]*/g, "").match(/"[^"\n]*"|[{};]|[^\s{};"]+/g) ?? [];
  const path: string[] = [];
  let words: string[] = [];
  let found: Shown = { kind: tokens.length === 0 ? "no-resource" : "no-volume" };
  for (const token of tokens) {
    if (token === "{") {
      path.push(words.join(" "));
      words = [];
      const where = `resource ${resource}/_this_host/volume ${volume}`;
      if (path.join("/") === where) found = { kind: "volume", disk: null };
    } else if (token === "}") {
      if (path.pop() === undefined || words.length > 0) return { kind: "not-understood" };
    } else if (token === ";") {
      const at = path.join("/") === `resource ${resource}/_this_host/volume ${volume}`;
      if (at && words[0] === "disk") found = { kind: "volume", disk: diskOf(words[1]) };
      words = [];
    } else words.push(token);
  }
  return path.length > 0 || words.length > 0 ? { kind: "not-understood" } : found;
}

function diskOf(word: string | undefined): string | null {
  return word === undefined || word === "none" ? null : word.replaceAll('"', "");
}
