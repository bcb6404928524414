/**
 * The composition root: picks the verb and sets the exit code. Each verb is loaded only when it is
 * wanted, so that a diagnosis does not load what the agent needs.
 */
import { type ExitCode, exitCodes } from "./core/base/exit-codes.ts";
import { formatVersion } from "./core/sector/layout.ts";
import type { VerbIo } from "./verbs/verb-io.ts";
import { version } from "./verbs/version.ts";

type Verb = (args: readonly string[], io: VerbIo) => Promise<ExitCode>;
type VerbRow = { readonly about: string; readonly load: () => Promise<Verb> };

/** Every verb, in the order of the help. */
const verbs: Readonly<Record<string, VerbRow>> = {
  demo: {
    about: "see it work: two sites on this machine, each fault in turn",
    load: async () => (await import("./verbs/demo.ts")).demoVerb,
  },
  run: {
    about: "the agent: beat, watch, judge",
    load: async () => runOf("run"),
  },
  witness: {
    about: "the agent at a third site, which serves nothing",
    load: async () => runOf("witness"),
  },
  status: {
    about: "what the agent knows: verdict first",
    load: async () => (await import("./verbs/status.ts")).statusVerb,
  },
  events: {
    about: "the journal",
    load: async () => (await import("./verbs/events.ts")).eventsVerb,
  },
  report: {
    about: "the timeline of an incident, as text, SVG or HTML",
    load: async () => (await import("./verbs/report.ts")).reportVerb,
  },
  takeover: {
    about: "make this site the active one",
    load: async () => (await import("./verbs/takeover.ts")).takeoverVerb,
  },
  switchover: {
    about: "give the service to the other site, planned",
    load: async () => switchoverOf("switchover"),
  },
  failback: {
    about: "give it back to the production site",
    load: async () => switchoverOf("failback"),
  },
  gate: {
    about: "may this host start the service? for boot scripts",
    load: async () => (await import("./verbs/gate.ts")).gateVerb,
  },
  enable: { about: "switch a path or host on", load: async () => switchOf("enable") },
  disable: { about: "switch a path or host off", load: async () => switchOf("disable") },
  install: {
    about: "bring a heartbeat mirror into use, at both sites",
    load: async () => installOf("install"),
  },
  deinstall: {
    about: "take one out of use, with no alarm",
    load: async () => installOf("deinstall"),
  },
  format: {
    about: "make a heartbeat volume, or repair its superblock",
    load: async () => (await import("./verbs/format.ts")).formatVerb,
  },
  examine: {
    about: "read a heartbeat volume; needs no agent",
    load: async () => (await import("./verbs/examine.ts")).examineVerb,
  },
  explain: {
    about: "what the verdict table says of given evidence",
    load: async () => (await import("./verbs/explain.ts")).explainVerb,
  },
  timing: {
    about: "every deadline, and the worst case of detection",
    load: async () => (await import("./verbs/timing.ts")).timingVerb,
  },
  simulate: {
    about: "the agent in simulated worlds, faults and all; your own timings too",
    load: async () => (await import("./verbs/simulate.ts")).simulateVerb,
  },
  doctor: {
    about: "is this host fit, and which of its fencing is real?",
    load: async () => (await import("./verbs/doctor.ts")).doctorVerb,
  },
  config: {
    about: "check or show the configuration",
    load: async () => (await import("./verbs/config.ts")).configVerb,
  },
  key: {
    about: "generate, add, retire or list keys",
    load: async () => (await import("./verbs/key.ts")).keyVerb,
  },
  pair: {
    about: "ask and change the array's pairs; needs no agent",
    load: async () => (await import("./verbs/pair.ts")).pairVerb,
  },
  remotecopy: {
    about: "copy PVOL to SVOL where there is no array; for trying",
    load: async () => (await import("./verbs/remotecopy.ts")).remotecopyVerb,
  },
};

/** What the program starts of itself; the help does not name it. */
const hidden: Readonly<Record<string, VerbRow>> = {
  "vendor-host": {
    about: "the process that a vendor's library runs in",
    load: async () => (await import("./verbs/vendor-host.ts")).vendorHostVerb,
  },
  "simulate-part": {
    about: "a process that runs simulated histories",
    load: async () => (await import("./verbs/simulate-part.ts")).simulatePartVerb,
  },
};

async function switchOf(verb: "enable" | "disable"): Promise<Verb> {
  const { switchVerb } = await import("./verbs/switch.ts");
  return (args, io) => switchVerb(verb, args, io);
}

async function runOf(verb: "run" | "witness"): Promise<Verb> {
  const { runVerb } = await import("./verbs/run.ts");
  return (args, io) => runVerb(verb, args, io);
}

async function switchoverOf(verb: "switchover" | "failback"): Promise<Verb> {
  const { switchoverVerb } = await import("./verbs/switchover.ts");
  return (args, io) => switchoverVerb(verb, args, io);
}

async function installOf(verb: "install" | "deinstall"): Promise<Verb> {
  const { installVerb } = await import("./verbs/install.ts");
  return (args, io) => installVerb(verb, args, io);
}

function usage(): string {
  const lines = Object.entries(verbs).map(([name, { about }]) => `  ${name.padEnd(11)}${about}`);
  return [
    "mirrorbeat VERB [OPTIONS]    heartbeats through the array's remote copy",
    "",
    ...lines,
    "",
    "  mirrorbeat VERB --help tells more; mirrorbeat --version",
    "",
  ].join("\n");
}

function nearest(word: string): string {
  const close = Object.keys(verbs).filter((verb) => verb.startsWith(word.slice(0, 3)));
  return close.length > 0 ? `; did you mean ${close.join(" or ")}?` : "; see: mirrorbeat --help";
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const [word, ...rest] = args;
  const io: VerbIo = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
  };
  if (word === undefined || word === "help" || word === "--help" || word === "-h") {
    io.out(usage());
    return word === undefined ? exitCodes.usage : exitCodes.ok;
  }
  if (word === "--version" || word === "-V") {
    io.out(`mirrorbeat ${version}, volume format ${formatVersion}\n`);
    return exitCodes.ok;
  }
  const verb = verbs[word] ?? hidden[word];
  if (!verb) {
    io.err(`mirrorbeat: no verb '${word}'${nearest(word)}\n`);
    return exitCodes.usage;
  }
  return (await verb.load())(rest, io);
}

// A reader that goes away (`| head`) is no fault; anything unforeseen is 70, never a plain 1.
process.stdout.on("error", () => process.exit(exitCodes.ok));
process.on("uncaughtException", (error) => {
  process.stderr.write(`mirrorbeat: fault of the program: ${error.stack ?? error}\n`);
  process.exit(exitCodes.software);
});

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
  // What is still open (a hung device's pipe, an idle socket) must not keep the program.
  process.stdout.write("", () => process.exit(code));
});
