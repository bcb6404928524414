/**
 * Bundles of the simulator with one mistake made in the product, for the proof that its checkers
 * bite. A mistake replaces exact texts while bundling; nothing is written to the source tree.
 *
 * Invariant: a text that is not there exactly once fails the build, so a mutant cannot rot unseen.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { commonOptions } from "./esbuild-options.mjs";

/** The source with the text put in place of the other one. */
export function edited(source, { file, find, put }) {
  const times = source.split(find).length - 1;
  if (times !== 1)
    throw new Error(`${file}: this text is there ${times} times, not once:\n${find}`);
  if (find === put) throw new Error(`${file}: the text is replaced by itself:\n${find}`);
  return source.replace(find, () => put);
}

const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** One file may be edited more than once; each text is looked for in what the one before left. */
function editsOf(edits) {
  return {
    name: "mutant",
    setup({ onLoad, onEnd }) {
      const files = [...new Set(edits.map(({ file }) => file))];
      const left = new Set(files);
      for (const file of files) {
        const filter = new RegExp(`[\\\\/]src[\\\\/]${escaped(file).replaceAll("/", "[\\\\/]")}$`);
        onLoad({ filter }, ({ path: found }) => {
          left.delete(file);
          const own = edits.filter((edit) => edit.file === file);
          return { contents: own.reduce(edited, readFileSync(found, "utf8")), loader: "ts" };
        });
      }
      onEnd(() => {
        if (left.size === 0) return;
        throw new Error(`not a part of what is simulated: ${[...left].join(", ")}`);
      });
    },
  };
}

/** Where the bundle is; `edits` empty: the program as it is shipped. */
export async function bundled(edits, outFile) {
  await build({
    ...commonOptions,
    plugins: [editsOf(edits), ...commonOptions.plugins],
    entryPoints: [path.resolve("src/tooling/mutants-runner.mjs")],
    outfile: outFile,
    sourcemap: false,
    logLevel: "silent",
  });
  return outFile;
}
