/**
 * A simulated world: the hosts, volumes, pairs and lines of one configuration, in virtual time. The
 * agents in it are the shipped ones; all that is around them is simulated, from one seed.
 */
import type { Config, DataGroupConfig, MirrorConfig } from "../core/base/config.ts";
import { takesPart } from "../core/base/devices.ts";
import { planVolume } from "../core/sector/volume.ts";
import { newSuperblock } from "../volume/format.ts";
import { superblockBytes } from "../volume/superblock.ts";
import { simulatedArbiter } from "./arbiter.ts";
import { crc32c, macOf } from "./checksum.ts";
import { type Block, Disk } from "./disk.ts";
import { DiskPort } from "./disk-port.ts";
import { Host, type Surroundings } from "./host.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import type { Watched, Watcher } from "./observation.ts";
import { type ArrayManner, goodManner } from "./pair-provider.ts";
import { type End, Pair } from "./pair.ts";
import { type Random, randomOf } from "./random.ts";
import { VirtualTime } from "./virtual-time.ts";

export const simulatedKeyId = 0x5eed0001;
const dataDiskBytes = 1 << 20;
const backupMs = 20_000;
const backupsMax = 8;

/** A volume's id from its number, as uuid text. */
const volumeIdOf = (number: number): string =>
  `5eed${String(number).padStart(4, "0")}-0000-4000-8000-000000000001`;

/** As every host of the cluster would have it. */
export function configFor(config: Config, site: string, host: string): Config {
  return { ...config, self: { site, host } };
}

export class SimulatedWorld {
  readonly config: Config;
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly network: Network;
  readonly hosts = new Map<string, Host>();
  /** Of mirrors and data groups, by name. */
  readonly pairs = new Map<string, Pair>();
  /** How each site's array answers. */
  readonly manners = new Map<string, ArrayManner>();
  /** Old images of each volume, the oldest first: what somebody may restore by mistake. */
  readonly backups = new Map<Disk, ReadonlyMap<number, Block>[]>();
  private readonly watchers: Watcher[] = [];
  private readonly around: Surroundings;

  constructor(config: Config, seed: number) {
    this.config = config;
    this.random = randomOf(seed);
    this.network = new Network(this.time, this.random.fork("network"));
    for (const { name } of config.sites) this.manners.set(name, goodManner());
    this.around = {
      time: this.time,
      random: this.random,
      watch: (watched) => this.watch(watched),
      openEndpoint: (host, life) => {
        const { address } = host.selfHost;
        return address && this.network.open(host.name, host.site, address, life);
      },
      pairOf: (host, name) => this.pairAt(host, name),
      arbiter: this.arbiterFor(),
    };
    this.makeHosts();
    this.makeVolumes();
  }

  get nowMs(): number {
    return this.time.nowMs;
  }

  onWatched(watcher: Watcher): void {
    this.watchers.push(watcher);
  }

  watch(watched: Watched): void {
    const { nowMs } = this.time;
    for (const watcher of this.watchers) watcher(watched, nowMs);
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`assertion failed: host ${name} is configured`);
    return host;
  }

  pair(name: string): Pair {
    const pair = this.pairs.get(name);
    if (!pair) throw new Error(`assertion failed: pair ${name} is configured`);
    return pair;
  }

  hostsOf(site: string): readonly Host[] {
    return [...this.hosts.values()].filter((host) => host.site === site);
  }

  /** Every machine boots, a little apart. */
  boot(): void {
    const random = this.random.fork("boot");
    for (const host of this.hosts.values()) {
      this.time.after(random.between(0, 2000), () => host.boot());
    }
    this.backUp();
  }

  private backUp(): void {
    for (const [disk, images] of this.backups) {
      images.push(disk.image());
      if (images.length > backupsMax) images.shift();
    }
    this.time.after(backupMs, () => this.backUp());
  }

  run(forMs: number, isOver?: () => boolean): Promise<void> {
    return this.time.run(this.time.nowMs + forMs, isOver);
  }

  // ---- Building it

  private makeHosts(): void {
    const random = this.random.fork("machines");
    for (const site of this.config.sites) {
      for (const { name } of site.hosts) {
        const machine = new Machine(name, site.name, this.time, random.between(3000, 90_000));
        machine.isUp = false;
        const config = configFor(this.config, site.name, name);
        this.hosts.set(name, new Host(config, machine, this.around));
      }
    }
  }

  private present(disk: Disk, path: string, site: string): void {
    for (const host of this.hosts.values()) {
      if (host.site !== site) continue;
      const random = this.random.fork(`${host.name} ${path}`);
      host.machine.ports.set(path, new DiskPort(host.name, disk, this.time, random));
    }
  }

  private makeVolumes(): void {
    this.config.mirrors.forEach((mirror, index) => {
      const sizeBytes = this.sizeOf(mirror);
      const disks = this.makePair(mirror, sizeBytes, mirror.witness);
      this.format(mirror, disks.pvol, index);
      if (disks.svol !== disks.pvol) disks.svol.restore(disks.pvol.image());
    });
    for (const group of this.config.dataGroups) this.makePair(group, dataDiskBytes, false);
  }

  private makePair(
    { name, writer, reader, pvol, svol }: MirrorConfig | DataGroupConfig,
    sizeBytes: number,
    isShared: boolean,
  ): { pvol: Disk; svol: Disk } {
    const primary = new Disk(`${name} pvol`, sizeBytes);
    const secondary = isShared ? primary : new Disk(`${name} svol`, sizeBytes);
    this.present(primary, pvol, writer);
    this.present(secondary, svol, reader);
    for (const disk of new Set([primary, secondary])) {
      this.backups.set(disk, []);
      disk.onWrite((write) => this.watch({ kind: "write", write }));
    }
    if (!isShared) {
      const disks = { writer: primary, reader: secondary };
      const pair = new Pair(name, disks, { writer, reader }, this.time, this.random.fork(name));
      pair.onChange = () => this.watch({ kind: "pair", pair: name });
      this.pairs.set(name, pair);
    }
    return { pvol: primary, svol: secondary };
  }

  private slotsOf(site: string): number {
    const hosts = this.config.sites.find(({ name }) => name === site)?.hosts ?? [];
    return 1 + Math.max(0, ...hosts.map(({ slot }) => slot));
  }

  private wishOf({ writer, reader }: MirrorConfig) {
    const echoPeers = this.slotsOf(reader);
    return { slots: this.slotsOf(writer), echoPeers, mailboxBlocksPerSlot: 1 };
  }

  private sizeOf(mirror: MirrorConfig): number {
    const wish = this.wishOf(mirror);
    const echoBlocks = Math.ceil(wish.echoPeers / 8);
    return 4096 * (64 + wish.slots * (4 + 2 * echoBlocks));
  }

  private format(mirror: MirrorConfig, disk: Disk, index: number): void {
    const planned = planVolume(disk.sizeBytes, this.wishOf(mirror));
    if (!planned.ok) throw new Error(`assertion failed: ${disk.name} is large enough`);
    const { plan } = planned;
    const { cluster, timing } = this.config;
    const seal = { mac: macOf([simulatedKeyId]), crc32c, keyId: simulatedKeyId };
    const wish = {
      ...this.wishOf(mirror),
      cluster,
      writerSite: mirror.writer,
      readerSite: mirror.reader,
      timings: timing,
    };
    const geometry = { kind: "block", logicalBytes: 512 } as const;
    const ids = { volumeId: volumeIdOf(index + 1), wallNs: 0n };
    const superblock = newSuperblock(geometry, wish, plan, { ...seal, ...ids });
    disk.write(0, superblockBytes(superblock, "primary", simulatedKeyId, seal), null);
    disk.write(plan.backupBlock, superblockBytes(superblock, "backup", simulatedKeyId, seal), null);
  }

  // ---- What hosts ask for

  private pairAt(
    host: Host,
    name: string,
  ): { readonly pair: Pair; readonly end: End; readonly manner: ArrayManner } | null {
    const pair = this.pairs.get(name);
    const manner = this.manners.get(host.site);
    if (!pair || !manner) return null;
    const of = [...this.config.mirrors, ...this.config.dataGroups].find(
      (each) => each.name === name,
    );
    if (of?.pair.provider === "none" && !this.tellsPairs) return null;
    const end =
      pair.sites.writer === host.site
        ? "writer"
        : pair.sites.reader === host.site
          ? "reader"
          : null;
    return end && { pair, end, manner };
  }

  /** Arrays answer, whatever provider the configuration names. */
  tellsPairs = true;

  private arbiterFor(): Surroundings["arbiter"] {
    return simulatedArbiter(this.config, (site) =>
      this.hostsOf(site).every(({ machine, service }) => !machine.isUp && !service.runs),
    );
  }

  /** Mirrors that are in use at that host. */
  isInstalled(host: string, mirror: string): boolean {
    const { state } = this.host(host);
    return state !== null && takesPart(state.devices.registrations[mirror]);
  }
}
