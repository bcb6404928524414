#!/bin/sh
# build.sh: everything one does with this project from a shell. Needs Node 20 or newer with npm,
# Python 3, make, a C and a C++ compiler; says what is missing and how to get it.
set -eu
cd "$(dirname "$0")"

usage() {
  cat <<'END'
build.sh [VERB]      from a fresh clone, nothing else to do first
  (none)             build dist/: the program, runnable from any folder
  demo [OPTIONS]     two sites on this machine, each fault in turn (no root)
  test [FILTER...]   native tests under sanitizers, then every test of src
  conformance NAME   the checks that every remote copy must pass, on that one
  lint               types, import rules, format
  lab NAME VERB      real engines (docs/lab.md): qemu, drbd; real watchdogs and
                     reservations in virtual machines: fence, reservation
  campaign [--help]  partitions, kills, hangs, reboots; two active is looked for
  simulate [OPTIONS] the agent in 50000 simulated histories, which takes hours; the
                     options are those of mirrorbeat simulate
  model [--quick]    every state of the takeover protocol (docs/model.md)
  mutants [--help]   mistakes made in the product: each must be found by a checker
  bench [--soak]     figures beside sbd, sanlock and a bare Node timer
  smoke              the bundle on Node 20, 22 and 24
  clean              remove what was built
END
}

missing() { echo "build.sh: missing $1; install it: $2" >&2; exit 69; }

need_tools() {
  apt="apt-get install -y"
  command -v node >/dev/null || missing "Node.js 20 or newer" "$apt nodejs npm (or nodejs.org)"
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] ||
    missing "Node.js 20 or newer (found $(node -v))" "see nodejs.org"
  command -v npm >/dev/null || missing "npm" "$apt npm"
  command -v python3 >/dev/null || missing "Python 3" "$apt python3"
  command -v make >/dev/null || missing "make" "$apt make"
  command -v cc >/dev/null || missing "a C compiler" "$apt gcc libc6-dev"
  command -v c++ >/dev/null || missing "a C++ compiler" "$apt g++"
  node_prefix=$(node -p 'require("path").dirname(require("path").dirname(require("fs").realpathSync(process.execPath)))')
  [ -f "$node_prefix/include/node/node_api.h" ] ||
    missing "Node's headers ($node_prefix/include/node)" "$apt libnode-dev (or Node's own tarball, which has them)"
}

# Runs a command quietly; its output is shown only if it fails.
quietly() {
  mkdir -p .build
  if ! "$@" >.build/log 2>&1; then
    tail -n 40 .build/log >&2
    echo "build.sh: failed: $* (all of its output: .build/log)" >&2
    exit 70
  fi
}

packages() {
  stamp=node_modules/.built-for
  wanted="$(cksum <package-lock.json) $(node -p 'process.arch')"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  echo "build.sh: installing packages and compiling the two addons (once)" >&2
  quietly npm ci --ignore-scripts --no-audit --no-fund
  # The headers of the installed Node: nothing is downloaded but packages.
  quietly env npm_config_nodedir="$node_prefix" npm rebuild ref-napi ffi-napi --ignore-scripts=false --foreground-scripts
  strip node_modules/ref-napi/build/Release/binding.node node_modules/ffi-napi/build/Release/ffi_bindings.node 2>/dev/null || true
  echo "$wanted" >"$stamp"
}

prepare() { need_tools; packages; quietly make -C native OUT="$PWD/.build/native"; }
program() { prepare; quietly node src/tooling/bundle.mjs dist .build/native; }

lint() {
  npx --no-install tsc -p tsconfig.json
  npx --no-install tsc -p src/core/tsconfig.json
  npx --no-install eslint src
  npx --no-install biome format src
}

# A provider has test files of its own, as drbd and drbd9 of drbd.ts; their output is shown whole:
# what does not apply, and why.
conformance() {
  names=$(cd src/remotecopy && for file in *-conformance.test.ts; do
    name=${file%-conformance.test.ts}
    [ ! -f "$name.ts" ] || echo "$name"
  done | paste -sd " " -)
  case " $names " in
    *" ${1:-} "*) ;;
    *) echo "build.sh: conformance needs the name of one remote copy: $names" >&2; exit 64 ;;
  esac
  [ $# -eq 1 ] || { echo "build.sh: one word too many: $2" >&2; exit 64; }
  prepare
  name=$1
  set -- src/remotecopy/"$name"*-conformance.test.ts
  TEST_OUT=".build/conformance-$name" TEST_SHOW=1 \
    exec node src/tooling/run-tests.mjs .build/native "${@#src/}"
}

# Each lab is a tool of its own: src/tooling/lab-NAME.mjs.
lab() {
  tool="src/tooling/lab-${1:-}.mjs"
  if [ -z "${1:-}" ] || [ ! -f "$tool" ]; then
    names=$(cd src/tooling && echo lab-*.mjs | sed 's/lab-//g; s/\.mjs//g')
    echo "build.sh: lab needs the name of one: $names" >&2
    exit 64
  fi
  shift
  program
  exec node "$tool" "$@"
}

verb=${1:-build}
[ $# -gt 0 ] && shift
case "$verb" in
  build) program; echo "build.sh: dist/mirrorbeat is ready" >&2 ;;
  demo) program; exec dist/mirrorbeat demo "$@" ;;
  test) program; exec node src/tooling/test-all.mjs .build/native "$@" ;;
  conformance) conformance "$@" ;;
  lint) prepare; lint ;;
  lab) lab "$@" ;;
  campaign) program; exec node src/tooling/campaign.mjs "$@" ;;
  # Hours; less, or other seeds, by its own options.
  simulate)
    program
    [ $# -gt 0 ] || set -- --seeds 50000
    exec dist/mirrorbeat simulate "$@"
    ;;
  model) exec node src/tooling/model.mjs "$@" ;;
  mutants) prepare; exec node src/tooling/mutants.mjs "$@" ;;
  bench) program; exec node src/tooling/bench.mjs "$@" ;;
  smoke) program; exec node src/tooling/smoke.mjs "$@" ;;
  clean) rm -rf dist .build node_modules ;;
  help | -h | --help) usage ;;
  *) echo "build.sh: unknown verb '$verb'" >&2; usage >&2; exit 64 ;;
esac
