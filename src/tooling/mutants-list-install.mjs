// Mistakes in installing and removing a mirror at both sites.
import { edit } from "./mutants-search.mjs";

const install = "core/step/install.ts";
const follow = "core/step/install-follow.ts";
const removals = ["mirror-removed", "mirror-removed-force", "agent-kill"];

export const installMutants = [
  {
    name: "removed without receipts",
    breaks: "the writing end is removed after every beating host of the other one",
    edits: [
      edit(follow, "if (!readerDone || !allLiving) return", "if (!allLiving && false) return"),
    ],
    setups: ["pair-two-mirrors"],
    faults: removals,
  },
  {
    name: "installation that nobody is told of",
    breaks: "a mirror is installed at both of its ends",
    edits: [
      edit(
        install,
        'put("enabled");\n      return { ...(isGiven ? given : done), registrations };',
        'put("enabled");\n      return { ...(isGiven ? { ...given, command: null } : done), registrations };',
      ),
    ],
    setups: ["pair-two-mirrors"],
    faults: removals,
  },
  {
    name: "watched before it is in the file",
    breaks: "each step is in the device address file before the next begins",
    edits: [
      edit(
        install,
        "const calm = follows ? drained(state, installation) : state;",
        'const early = installation.phase === "enabling";\n      const calm = follows ? drained(state, installation) : early ? switchPath(state, installation.command.mirror, true) : state;',
      ),
    ],
    setups: ["pair-two-mirrors"],
    faults: removals,
  },
  {
    name: "command given before it is in the file",
    breaks: "what is told to others is in the file first",
    edits: [
      edit(
        install,
        "state: { ...calm, storing, installation: {",
        "state: { ...calm, devices: { ...calm.devices, command: storing.command, commandDone: storing.commandDone }, storing, installation: {",
      ),
    ],
    setups: ["pair-two-mirrors"],
    faults: [...removals, "disk-slow", "disk-hung"],
  },
];
