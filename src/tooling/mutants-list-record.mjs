// Mistakes in what is believed, and in the shell around the core.
import { edit } from "./mutants-search.mjs";

const record = "core/record.ts";
const see = "core/step/see.ts";
const lan = "agent/lan.ts";

export const recordMutants = [
  {
    name: "signature not checked",
    breaks: "no record is believed without its signature",
    edits: [
      edit(
        record,
        'standsAt(expected, sector, macOffset) ? null : "forged"',
        'macOffset > 0 ? null : "forged"',
      ),
    ],
    setups: ["pair"],
    faults: ["forgery"],
  },
  {
    name: "misplaced record believed",
    breaks: "a record stands in the block and slot for which it was made",
    edits: [
      edit(
        record,
        '  if (record.block !== place.block || record.copy !== place.copy) return "misplaced";\n',
        "",
      ),
      edit(
        record,
        '  if (place.slot !== null && record.slot !== place.slot) return "misplaced";\n',
        "",
      ),
    ],
    setups: ["pair", "four"],
    faults: ["write-astray"],
  },
  {
    name: "an older word heeded",
    breaks: "of a host's records only the newest is its word",
    edits: [edit(see, "if (!isNewer(record, peer)) return { peer: moved, events: [] };", "")],
    setups: ["pair"],
    faults: ["lag-long", "datagrams-late"],
  },
];

export const shellMutants = [
  {
    name: "written over the newer copy",
    breaks: "a write goes over the older of the two copies",
    edits: [edit("agent/pvol.ts", "const copy = this.older;", "const copy = other(this.older);")],
    setups: ["pair"],
    faults: ["agent-leave"],
  },
];
