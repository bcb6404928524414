// One place for how this project is bundled: the program and the tests are built alike.
import { readFileSync } from "node:fs";

/**
 * The addons find their binary through node-gyp-build and __dirname, which a bundle moves.
 * Naming the built file literally lets esbuild's copy loader lay it beside the bundle.
 */
const addonsBesideTheBundle = {
  name: "addons-beside-the-bundle",
  setup(build) {
    build.onLoad(
      { filter: /(ref-napi[\\/]lib[\\/]ref|ffi-napi[\\/]lib[\\/]bindings)\.js$/ },
      (args) => {
        const binary = args.path.includes("ref-napi")
          ? "../build/Release/binding.node"
          : "../build/Release/ffi_bindings.node";
        const source = readFileSync(args.path, "utf8");
        const lookup = /require\('node-gyp-build'\)\(path\.join\(__dirname, '\.\.'\)\)/;
        if (!lookup.test(source))
          throw new Error(`${args.path}: no node-gyp-build lookup to rewrite`);
        return {
          contents: source.replace(lookup, `require(${JSON.stringify(binary)})`),
          loader: "js",
        };
      },
    );
  },
};

/** `debug` (wanted by the addons) reads the environment and the terminal at start: a stub serves. */
const silentDebug = {
  name: "silent-debug",
  setup(build) {
    build.onResolve({ filter: /^debug$/ }, () => ({ path: "debug", namespace: "silent" }));
    build.onLoad({ filter: /.*/, namespace: "silent" }, () => ({
      contents: "module.exports = () => Object.assign(() => {}, { enabled: false });",
      loader: "js",
    }));
  },
};

export const commonOptions = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  loader: { ".node": "copy" },
  assetNames: "[name]",
  alias: { "@2060.io/ref-napi": "ref-napi" },
  plugins: [addonsBesideTheBundle, silentDebug],
  legalComments: "none",
  logLevel: "warning",
  sourcemap: true,
  sourcesContent: false,
};
