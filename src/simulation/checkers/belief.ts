/**
 * Nothing stale, forged or foreign is believed (docs/safety.md 2). What an agent takes as a host's
 * record was published by that host's own agent, word for word, on that path, in this world; and
 * what it knows of a host never goes back: not its newest word, nor its position on any path, within
 * one run of the observer, but for the one step back that a mirror tolerates and that moves nothing.
 *
 * A record under a key that is held, of a host that nobody has configured there, is none of these: of
 * it only the term counts (section 7), which checker terms looks at.
 *
 * All that agents publish is kept as they decided it, before anything carries it.
 */
import { decodeSector } from "../../core/sector/codec.ts";
import { sectorBytes, type HeartbeatRecord } from "../../core/sector/layout.ts";
import { comparePositions, type Position } from "../../core/record.ts";
import type { RecordBody, State } from "../../core/step/state.ts";
import type { CheckerKind } from "../checker.ts";
import { Judge } from "./judge.ts";
import type { Watched } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";
import { networkName } from "./ways.ts";

type Published = {
  readonly body: RecordBody;
  readonly paths: readonly string[];
  readonly onlyTo: string | null;
};
type Step = Extract<Watched, { kind: "step" }>;

/** Records of one run of one host: the newest ones. */
const keptMax = 4096;

class Registry {
  /** By host, incarnation and serial. */
  private readonly runs = new Map<string, Map<bigint, Map<bigint, readonly Published[]>>>();

  add(host: string, published: Published): void {
    const { incarnation, serial } = published.body;
    const ofHost = this.runs.get(host) ?? new Map<bigint, Map<bigint, readonly Published[]>>();
    this.runs.set(host, ofHost);
    const run = ofHost.get(incarnation) ?? new Map<bigint, readonly Published[]>();
    ofHost.set(incarnation, run);
    // A host that could store nothing, and read nothing, may count anew from where it was.
    run.set(serial, [...(run.get(serial) ?? []), published]);
    if (run.size > keptMax) run.delete(run.keys().next().value as bigint);
  }

  find(host: string, at: Position): readonly Published[] | "never" | "too old to be kept" {
    const run = this.runs.get(host)?.get(at.incarnation);
    const found = run?.get(at.serial);
    if (found) return found;
    return run && run.size >= keptMax && at.serial > 0n ? "too old to be kept" : "never";
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  if (a.length === 0 || b.length === 0) return true;
  return JSON.stringify(a, bare) === JSON.stringify(b, bare);
}
const bare = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `${value}n` : value;

/** The field that differs; null where all is as it was published. */
function difference(body: RecordBody, record: Partial<HeartbeatRecord>): string | null {
  for (const key of Object.keys(body) as (keyof RecordBody)[]) {
    // Lists are filled up to their whole length in a sector.
    if (key === "groups" || !(key in record)) continue;
    if (!isSame(body[key], record[key])) return key;
  }
  return null;
}

/** How a record differs from what was published; null where it is that. */
function wrongWith(
  { body, paths, onlyTo }: Published,
  path: string | null,
  to: string,
  record: Partial<HeartbeatRecord>,
): string | null {
  if (path !== null && !paths.includes(path)) return `on ${path}, where it was not published`;
  if (path === networkName && onlyTo !== null && onlyTo !== to) return `which was for ${onlyTo}`;
  const field = difference(body, record);
  return field === null ? null : `with another ${field} than was published`;
}

/**
 * The mirror whose volume stands on that path: another one of the same way where somebody swapped
 * cables and the configuration names no wwid (docs/arrays.md). What it carries is as good.
 */
type Volumes = ReadonlyMap<
  string,
  { readonly volumeId: string; readonly clusterId: string; readonly site: number }
>;

function mirrorFound(volumes: Volumes, path: string, volumeId: string): string {
  if (volumes.get(path)?.volumeId === volumeId) return path;
  const site = volumes.get(path)?.site;
  const other = [...volumes].find(([, one]) => one.volumeId === volumeId && one.site === site);
  return other?.[0] ?? path;
}

/** What the volume of each mirror says of itself: what stands in its first block. */
function volumesOf(
  world: SimulatedWorld,
): ReadonlyMap<string, { volumeId: string; clusterId: string; site: number }> {
  const ids = new Map<string, { volumeId: string; clusterId: string; site: number }>();
  for (const { name, writer, pvol } of world.config.mirrors) {
    const [host] = world.hostsOf(writer);
    const disk = host?.machine.ports.get(pvol)?.disk;
    if (!disk) continue;
    const { volumeId, clusterId } = decodeSector(
      "superblock",
      disk.read(0).subarray(0, sectorBytes),
    );
    const site = world.config.sites.find((one) => one.name === writer)?.id ?? 0;
    ids.set(name, { volumeId, clusterId, site });
  }
  return ids;
}

class Belief extends Judge {
  private readonly registry = new Registry();

  private readonly volumes = volumesOf(this.world);

  private readonly clusterId = [...this.volumes.values()][0]?.clusterId ?? "";

  private published(
    host: string,
    path: string | null,
    to: string,
    record: Partial<HeartbeatRecord> & Position,
  ): string | null {
    const found = this.registry.find(host, record);
    const at = `${host} ${record.incarnation}/${record.serial}`;
    if (found === "too old to be kept") return null;
    if (found === "never") return `${at}, which ${host} never published`;
    const wrongs = found.map((one) => wrongWith(one, path, to, record));
    const wrong = wrongs.includes(null) ? null : wrongs[0];
    return wrong ? `${at} ${wrong}` : null;
  }

  /** What the shell tells the core, record by record. */
  private taken(host: string, path: string, record: HeartbeatRecord, slot: number | null): void {
    const observer = this.world.host(host);
    const found = mirrorFound(this.volumes, path, record.volumeId);
    const volume = path === networkName ? undefined : this.volumes.get(found);
    const sender = this.world.hosts.get(record.hostName);
    // Nobody's, though it is signed: the core believes no more of it than its term.
    if (!sender || sender.selfHost.slot !== record.slot) return;
    const wrong =
      this.published(record.hostName, found, host, record) ??
      (record.clusterId === this.clusterId
        ? null
        : `a record of the cluster ${record.clusterId}`) ??
      (observer.keyIds.includes(record.keyId)
        ? null
        : `a record under the key ${record.keyId}, which it does not hold`) ??
      (volume && record.volumeId !== volume.volumeId
        ? `a record of the volume ${record.volumeId} on ${path}`
        : null) ??
      (volume && record.site !== volume.site
        ? `a record of the site ${record.site} on ${path}`
        : null) ??
      (slot !== null && record.slot !== slot
        ? `a record of the slot ${record.slot} in slot ${slot}`
        : null);
    if (wrong !== null) this.report(`${host} believes ${wrong}`);
  }

  private took({ host, input }: Step): void {
    switch (input.kind) {
      case "mirror-read":
        for (const { slot, reading } of input.seen) {
          if (reading.kind !== "record") continue;
          this.count("record on a mirror");
          this.taken(host, input.mirror, reading.record, slot);
        }
        return;
      case "network-read":
        for (const { record } of input.records) {
          this.count("record by the network");
          this.taken(host, networkName, record, null);
        }
        return;
      case "sibling": {
        this.count("record of a sibling");
        const sender = this.world.hosts.get(input.record.hostName);
        if (!sender || sender.selfHost.slot !== input.record.slot) return;
        const wrong = this.published(input.record.hostName, null, host, input.record);
        if (wrong !== null) this.report(`${host} believes, of its own site, ${wrong}`);
        return;
      }
      case "probe":
        for (const record of input.records) {
          this.count("record on a volume not in use");
          this.taken(host, input.mirror, record, null);
        }
        return;
      default:
    }
  }

  /** What the core makes of them. */
  private knows(host: string, before: State, after: State): void {
    after.peers.forEach((peer, index) => {
      const was = before.peers[index];
      if (peer === was || was?.host.name !== peer.host.name) return;
      const { name } = peer.host;
      for (const [path, { position }] of Object.entries(peer.sightings)) {
        const old = was.sightings[path]?.position;
        if (!position || position === old) continue;
        if (old && comparePositions(position, old) < 0) {
          this.report(
            `${host} goes back to ${name} ${position.incarnation}/${position.serial} on ${path}`,
          );
        } else if (this.registry.find(name, position) === "never") {
          this.report(
            `${host} saw ${name} ${position.incarnation}/${position.serial} on ${path}, which was never published`,
          );
        }
      }
      if (peer.word === null || peer.word === was.word) return;
      this.count("word");
      if (was.word && comparePositions(peer.word, was.word) <= 0)
        this.report(`${host} takes an older word of ${name}`);
      const { keyId: _, ...word } = peer.word;
      const wrong = this.published(name, null, host, word);
      if (wrong !== null) this.report(`${host} takes the word of ${wrong}`);
    });
  }

  private knowsSiblings(host: string, { siblings }: State): void {
    for (const [name, { at }] of Object.entries(siblings)) {
      const isOfSite = this.world.hosts.get(name)?.site === this.world.host(host).site;
      if (!isOfSite) this.report(`${host} takes ${name} for a host of its site`);
      else if (this.registry.find(name, at) === "never") {
        this.report(
          `${host} saw its sibling ${name} ${at.incarnation}/${at.serial}, which was never published`,
        );
      }
    }
  }

  watch(watched: Watched): void {
    if (watched.kind !== "step") return;
    const { host, before, after, actions } = watched;
    for (const action of actions) {
      if (action.kind === "publish") this.registry.add(host, action);
    }
    this.took(watched);
    if (before.siblings !== after.siblings) this.knowsSiblings(host, after);
    if (before.peers !== after.peers && before.config === after.config)
      this.knows(host, before, after);
  }
}

export const belief: CheckerKind = {
  name: "belief",
  words: "a stale, forged or foreign record is believed",
  cases: [
    "record on a mirror",
    "record by the network",
    "record of a sibling",
    "record on a volume not in use",
    "word",
  ],
  make: (world, faults, report) => new Belief(world, faults, report),
};
