// bundle.mjs OUT NATIVE: the program as one folder that can be copied anywhere.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { commonOptions } from "./esbuild-options.mjs";

const [out, native] = process.argv.slice(2);
if (!out || !native) throw new Error("usage: bundle.mjs OUT NATIVE");
const { version } = JSON.parse(readFileSync("package.json", "utf8"));

// The launcher keeps the pid (exec) and spares the run-time a 58 ms reading of extra certificates.
const launcher = `#!/bin/sh
# mirrorbeat: finds its own folder through symbolic links, then becomes the program.
self=$(readlink -f -- "$0") || self=$0
node=\${MIRRORBEAT_NODE:-node}
command -v "$node" >/dev/null 2>&1 || {
  echo "mirrorbeat: no Node.js found ($node): install Node 20 or newer, or set MIRRORBEAT_NODE" >&2
  exit 69
}
unset NODE_EXTRA_CA_CERTS NODE_OPTIONS
# An agent mostly sleeps: no threads for its small heap, no optimising compiler (docs/performance.md).
# Only on versions that were tried: another one may refuse to start with a flag it does not know.
flags=
case "\${1-}" in
  run) case $("$node" -v) in v2[024].*) flags="--single-threaded-gc --no-memory-reducer --no-opt" ;; esac ;;
esac
exec "$node" \${MIRRORBEAT_NODE_FLAGS-$flags} "\${self%/*}/mirrorbeat.cjs" "$@"
`;

mkdirSync(out, { recursive: true });
await build({
  ...commonOptions,
  entryPoints: ["src/main.ts"],
  outfile: path.join(out, "mirrorbeat.cjs"),
  minify: true,
  define: { MIRRORBEAT_VERSION: JSON.stringify(version) },
});
copyFileSync(path.join(native, "libmirrorbeat.so"), path.join(out, "libmirrorbeat.so"));
writeFileSync(path.join(out, "mirrorbeat"), launcher);
chmodSync(path.join(out, "mirrorbeat"), 0o755);
