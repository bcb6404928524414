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
  {
    name: "checksum not checked",
    breaks: "a torn record is told from a forged one",
    edits: [edit(record, "!== u32At(sector, crcOffset))", "=== -1)")],
    setups: ["pair"],
    faults: ["write-torn", "bit-flip"],
  },
  {
    name: "another cluster's record believed",
    breaks: "a record is of our cluster",
    edits: [
      edit(record, '  if (record.clusterId !== place.clusterId) return "foreign-cluster";\n', ""),
    ],
    setups: ["pair"],
    faults: ["strangers-pvol", "strangers-svol", "strangers-datagrams"],
  },
  {
    name: "another site's record believed",
    breaks: "a record is of the site that writes there",
    edits: [
      edit(
        record,
        '  if (place.siteId !== null && record.site !== place.siteId) return "wrong-site";\n',
        "",
      ),
    ],
    setups: ["pair"],
    faults: ["strangers-pvol", "strangers-svol", "strangers-datagrams"],
  },
  {
    name: "another host's record believed",
    breaks: "a record is of the host that has the slot",
    edits: [
      edit(
        see,
        "if (seen.reading.record.hostName !== peer.host.name) {",
        'if (seen.reading.record.hostName === "") {',
      ),
      edit(lan, 'if (peer.host.name !== record.hostName) return "wrong-host";', ""),
    ],
    setups: ["pair"],
    faults: ["strangers-pvol", "strangers-svol", "strangers-datagrams"],
  },
  {
    name: "another volume's record believed",
    breaks: "a record is of the volume on which it stands",
    edits: [
      edit(record, '  if (record.volumeId !== place.volumeId) return "foreign-volume";\n', ""),
    ],
    setups: ["pair"],
    faults: ["strangers-pvol", "strangers-svol", "strangers-datagrams"],
  },
  {
    name: "reserved bytes not looked at",
    breaks: "what a newer format says is not taken for nothing",
    edits: [
      edit(
        record,
        "reservedNotZero(kind, sector).length > 0",
        "reservedNotZero(kind, sector).length > 999",
      ),
    ],
    setups: ["pair"],
    faults: ["strangers-pvol", "strangers-svol", "strangers-datagrams"],
  },
  {
    name: "a restored record believed",
    breaks: "a record that is older than one believed before is none",
    edits: [
      edit(
        see,
        "if (mark && isRegression(record, mark)) {",
        "if (mark && isRegression(mark, record) && false) {",
      ),
    ],
    setups: ["pair"],
    faults: ["replay-at-start", "old-blocks-svol", "old-blocks-pvol"],
  },
  {
    name: "replayed datagrams believed",
    breaks: "a datagram is newer than those before it",
    edits: [
      edit(
        lan,
        'return newest && comparePositions(record, newest) <= 0 ? "replayed" : null;',
        "return newest ? null : null;",
      ),
      edit(
        see,
        "if (mark && isRegression(record, mark)) {",
        'if (mark && path !== "network" && isRegression(record, mark)) {',
      ),
    ],
    setups: ["pair"],
    faults: ["replay-at-start", "replay"],
  },
  {
    name: "high-water marks forgotten",
    breaks: "what was believed before a start is remembered over it",
    edits: [edit("core/step/begin.ts", "if (mark) own[path] = mark;", "")],
    setups: ["pair"],
    faults: ["replay-at-start", "replay", "old-blocks-svol"],
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
  {
    name: "a schedule that catches up",
    breaks: "periods that were missed are skipped",
    edits: [
      edit(
        "agent/schedule.ts",
        "const missed = Math.floor((now - task.atMs) / task.periodMs);",
        "const missed = 0;",
      ),
    ],
    setups: ["pair"],
    faults: ["agent-stop"],
  },
  {
    name: "superblock not looked at",
    breaks: "no write goes to a volume whose superblock is not ours",
    edits: [
      edit("agent/svol.ts", 'if (superblock === "another") return this.giveUp(use);', ""),
      edit(
        "agent/svol.ts",
        'if (superblock === "damaged" && this.options.writes) return this.giveUp(use);',
        "",
      ),
    ],
    setups: ["pair-two-mirrors"],
    faults: ["volume-remapped"],
  },
];
