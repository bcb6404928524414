/**
 * The remote copies that mirrorbeat can drive, and what each wants to be told in [mirrors.pair].
 * One table: the configuration is checked against it, and docs/arrays.md is generated from it.
 *
 * A setting stands in [mirrors.pair] for both ends, or in [mirrors.pair.writer] and
 * [mirrors.pair.reader] where the two sites differ; the nearer one counts.
 */

/** Changes of a pair, the same words as the verbs of `mirrorbeat pair`. */
export const pairVerbs = ["create", "split", "resync", "swap", "takeover", "remove"] as const;
export type PairVerb = (typeof pairVerbs)[number];

export type SettingValue = string | number | boolean | readonly string[];
export type Setting = {
  readonly kind: "path" | "text" | "number" | "flag" | "command" | "choice";
  /** In the unit that the key's name ends with; null where the setting must be given. */
  readonly fallback: SettingValue | null;
  /** May be left out altogether; then the provider does without. */
  readonly optional?: boolean;
  readonly example: string;
  readonly note: string;
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
};

/** Known to every provider but "none". */
export const commonSettings = {
  identity: {
    kind: "text", fallback: null, optional: true, example: "411001/1a01",
    note: "ARRAY/VOLUME at this end, as `mirrorbeat pair query` shows it; checked before each change",
  },
  query_limit_ms: {
    kind: "number", fallback: 2000, min: 100, max: 60_000, example: "2000",
    note: "deadline of a query",
  },
  change_limit_ms: {
    kind: "number", fallback: 60_000, min: 1000, max: 3_600_000, example: "60000",
    note: "deadline of a change; what is not done by then is indeterminate",
  },
} as const satisfies Readonly<Record<string, Setting>>; // biome-ignore format: a table

export const pairSettings = {
  embedded: {
    control: {
      kind: "path", fallback: "/run/mirrorbeat/copy.sock", example: "/run/mirrorbeat/copy.sock",
      note: "control socket of `mirrorbeat remotecopy`",
    },
  },
  qemu: {
    qmp: {
      kind: "path", fallback: null, example: "/run/array/qmp.sock",
      note: "QMP socket of this site's qemu-storage-daemon",
    },
    monitor: {
      kind: "text", fallback: null, optional: true, example: "10.77.2.2:10810",
      note: "QMP of this array for the other site, over the replication link: HOST:PORT or a path",
    },
    node: { kind: "text", fallback: "vol", example: "vol", note: "block node of the volume" },
    front: {
      kind: "text", fallback: "front", example: "front",
      note: "raw node upon it, through which hosts have it; hosts cannot write to a secondary",
    },
    export: {
      kind: "text", fallback: "replica", example: "replica",
      note: "name of the NBD export through which the other array writes this volume",
    },
    address: {
      kind: "text", fallback: null, example: "10.77.2.2:10809",
      note: "where this site's array serves NBD to the other one, on the replication link",
    },
    copying: {
      kind: "choice", choices: ["synchronous", "asynchronous"], fallback: "synchronous",
      example: "synchronous", note: "whether a write waits for the other site",
    },
    job: { kind: "text", fallback: "pair", example: "pair", note: "name of the mirror job" },
  },
  drbd: {
    resource: { kind: "text", fallback: null, example: "hb", note: "name of the resource" },
    volume: { kind: "number", fallback: 0, min: 0, max: 65_535, example: "0", note: "its volume" },
    drbdsetup: {
      kind: "command", fallback: ["drbdsetup"], example: '["/usr/sbin/drbdsetup"]',
      note: "the program, with leading arguments if need be",
    },
    drbdadm: {
      kind: "command", fallback: ["drbdadm"], example: '["/usr/sbin/drbdadm"]',
      note: "the program, with leading arguments if need be",
    },
  },
  horcm: {
    group: { kind: "text", fallback: null, example: "HBA", note: "device group in horcm.conf" },
    device: {
      kind: "text", fallback: null, optional: true, example: "hb_a",
      note: "one device of the group; the whole group where it is left out",
    },
    volumes: {
      kind: "number", fallback: 1, min: 1, max: 1000, example: "1",
      note: "how many the whole group has; an answer with fewer was cut off",
    },
    instance: {
      kind: "number", fallback: null, min: 0, max: 4094, example: "10",
      note: "HORCM instance at this end (-IH)",
    },
    fence: {
      kind: "choice", choices: ["never", "data", "status", "async"], fallback: "never",
      example: "never", note: "fence level of a pair that is made; for heartbeats never, or async",
    },
    journal: {
      kind: "text", fallback: null, optional: true, example: "4:4",
      note: "PVOL and SVOL journal numbers for asynchronous copy",
    },
    global_active: {
      kind: "flag", fallback: false, example: "true",
      note: "ask for the I/O mode of a global-active device (-fcxe)",
    },
    takeover_limit_s: {
      kind: "number", fallback: 30, min: 1, max: 3600, example: "30",
      note: "how long a takeover of an asynchronous copy waits for what is under way (-t); at most change_limit_ms less 5 s",
    },
    wait_limit_s: {
      kind: "number", fallback: 0, min: 0, max: 3600, example: "60",
      note: "how long create and resync wait for PAIR (pairevtwait), bounded likewise; 0: they do not",
    },
    folder: {
      kind: "path", fallback: "/HORCM/usr/bin", example: "/HORCM/usr/bin",
      note: "where the commands are",
    },
  },
  rbd: {
    image: { kind: "text", fallback: null, example: "pool/hba", note: "POOL/IMAGE" },
    cluster: {
      kind: "text", fallback: "ceph", example: "ceph", note: "name of this end's cluster",
    },
    rbd: { kind: "command", fallback: ["rbd"], example: '["/usr/bin/rbd"]', note: "the program" },
    ceph: {
      kind: "command", fallback: ["ceph"], example: '["/usr/bin/ceph"]',
      note: "the program that tells the id of the cluster",
    },
  },
  srdf: {
    group: { kind: "text", fallback: null, example: "HB_DG", note: "device group" },
    rdfg: { kind: "number", fallback: null, min: 1, max: 250, example: "7", note: "RDF group" },
    folder: {
      kind: "path", fallback: "/usr/symcli/bin", example: "/usr/symcli/bin",
      note: "where the commands are",
    },
  },
  vendor: {
    library: {
      kind: "path", fallback: null, example: "/opt/array/libmirror.so",
      note: "shared library with the interface of native/include/mirrorbeat_vendor.h",
    },
    settings: {
      kind: "text", fallback: "", example: "group=HBA",
      note: "handed to the library as it stands",
    },
  },
  exec: {
    program: {
      kind: "command", fallback: null, example: '["/usr/local/sbin/my-array"]',
      note: "program with leading arguments; JSON on standard input and output",
    },
    settings: {
      kind: "text", fallback: "", example: "group=HBA",
      note: "handed to the program as it stands",
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Setting>>>>; // biome-ignore format: a table

export type ProviderName = keyof typeof pairSettings;
export const providerNames = Object.keys(pairSettings) as readonly ProviderName[];

/** Resolved settings of one end, the common ones included; what is optional may be missing. */
export type EndSettings = Readonly<Record<string, SettingValue>>;

export type PairConfig =
  | { readonly provider: "none" }
  | {
      readonly provider: ProviderName;
      readonly writer: EndSettings;
      readonly reader: EndSettings;
    };
