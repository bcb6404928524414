/**
 * Faults of one host's way to one volume. The volumes of a witness are left out where they would
 * lie about what is durable: docs/safety.md 6.9 rests on a claim that is there once it was written.
 */
import type { Disk } from "../disk.ts";
import type { DiskPort, Transfer, WriteMishap } from "../disk-port.ts";
import { zeroBlock } from "../disk.ts";
import { type End, type FaultKind, held, isHeld } from "../fault.ts";
import type { Random } from "../random.ts";
import type { SimulatedWorld } from "../world.ts";
import { heldBack } from "./agent.ts";
import { allOf, once, setFor, wholeMs } from "./setting.ts";
import { hostTouch, mirrorOf, mirrorTouch, parted, type Touches, volumeTouch } from "./touch.ts";

export function portAt(world: SimulatedWorld, host: string, mirror: string): DiskPort {
  const { machine, site } = world.host(host);
  const { writer, pvol, svol } = mirrorOf(world, mirror);
  const port = machine.ports.get(site === writer ? pvol : svol);
  if (!port) throw new Error(`assertion failed: ${host} has a path to ${mirror}`);
  return port;
}

const portOf = (world: SimulatedWorld, target: string): DiskPort =>
  portAt(world, ...parted(target, ":"));

const isOfWitness = (world: SimulatedWorld, target: string): boolean =>
  mirrorOf(world, parted(target, ":")[1]).witness;

/** What hangs is done at the end: late, and whether its writer still lives or not. */
export const hung = (
  world: SimulatedWorld,
  host: string,
  mirror: string,
  transfers: readonly Transfer[],
): End => {
  const port = portAt(world, host, mirror);
  return allOf(
    transfers.map((transfer) =>
      held(world, `hung ${transfer} ${host} ${mirror}`, (on) =>
        on ? port.hang(transfer) : port.release(transfer),
      ),
    ),
  );
};

/** Unplugged: whoever has it open has nothing any more, and it cannot be opened. */
export function missing(port: DiskPort): End {
  port.disconnect();
  return setFor(port, "openError", "ENOENT");
}

/** Its agent is killed while its writes hang; they land before it is begun again. */
function writesOfDead(world: SimulatedWorld, target: string): End | null {
  const [name, mirror] = parted(target, ":");
  const one = world.host(name);
  if (!one.agent) return null;
  const release = hung(world, name, mirror, ["write"]);
  let back: End | null = null;
  let isOver = false;
  world.time.after(2 * world.config.timing.intervalMs, () => {
    if (isOver || !one.agent) return;
    one.kill();
    back = heldBack(world, one);
  });
  return once(() => {
    isOver = true;
    release();
    back?.();
  });
}

const unpluggedMs = 1500;

/** Two cables of a host come out, and each goes where the other was; the same again at the end. */
function swapped(world: SimulatedWorld, host: string, random: Random): End | null {
  if (isHeld(world, `cables ${host}`)) return null;
  const ports = [...world.host(host).machine.ports.values()];
  const first = random.pick(ports);
  const others = ports.filter(({ disk }) => disk !== first.disk);
  if (others.length === 0) return null;
  const second = random.pick(others);
  const exchange = (): void => {
    const ends = [missing(first), missing(second)];
    const { disk } = first;
    first.connect(second.disk);
    second.connect(disk);
    // What was in the cables' ends is dead at once; the new ones answer a little later.
    world.time.after(unpluggedMs, allOf(ends));
  };
  exchange();
  const isFree = held(world, `cables ${host}`, () => undefined);
  return once(allOf([exchange, isFree]));
}

/** Two of a host's paths lead to each other's volume, from one moment to the next: nothing fails. */
function remapped(world: SimulatedWorld, host: string, random: Random): End | null {
  if (isHeld(world, `cables ${host}`)) return null;
  const ports = [...world.host(host).machine.ports.values()];
  const first = random.pick(ports);
  const others = ports.filter(({ disk }) => disk !== first.disk);
  if (others.length === 0) return null;
  const second = random.pick(others);
  const exchange = (): void => {
    const { disk } = first;
    first.remap(second.disk);
    second.remap(disk);
  };
  exchange();
  return once(allOf([exchange, held(world, `cables ${host}`, () => undefined)]));
}

/** As a restore writes it: the array copies it like anything else that a host writes. */
function restoredPrimary(disk: Disk, image: ReadonlyMap<number, Buffer>): void {
  for (const block of disk.written()) {
    const old = image.get(block) ?? zeroBlock;
    if (disk.read(block) !== old) disk.write(block, old, null);
  }
}

function restored(world: SimulatedWorld, mirror: string, which: "pvol" | "svol", random: Random) {
  const pair = world.pair(mirror);
  const disk = which === "pvol" ? pair.disks.writer : pair.disks.reader;
  const images = world.backups.get(disk) ?? [];
  if (images.length === 0) return null;
  const image = random.pick(images);
  if (which === "pvol") restoredPrimary(disk, image);
  // Behind the array's back: its pair does not know.
  else disk.restore(image);
  return () => undefined;
}

const mishap = (name: string, words: string, kind: WriteMishap): FaultKind => ({
  name,
  words,
  target: "pvol",
  weight: 2,
  lasts: true,
  usualSeconds: [2, 20],
  touches: volumeTouch,
  begin: (world, target) => {
    if (isOfWitness(world, target)) return null;
    const port = portOf(world, target);
    const end = setFor(port, "mishap", kind);
    return () => {
      end();
      port.mendStrays();
    };
  },
});

const base = { target: "volume", lasts: true, weight: 2, touches: volumeTouch } as const;

const lies: readonly FaultKind[] = [
  mishap(
    "write-torn",
    "most writes of one host to a PVOL land in part, and it is told all",
    "torn",
  ),
  mishap(
    "write-lost",
    "most writes of one host to a PVOL never land, and it is told they did",
    "lost",
  ),
  mishap("write-astray", "most writes of one host to a PVOL land in another block", "misdirected"),
  mishap("bit-flip", "most writes of one host to a PVOL land with one bit changed", "flipped"),
  {
    ...base,
    name: "reads-stale",
    words: "one host reads an SVOL as it was at the beginning: a cache that is stale",
    target: "svol",
    begin: (world, target) => {
      if (isOfWitness(world, target)) return null;
      const port = portOf(world, target);
      return setFor(port, "staleImage", port.disk.image());
    },
  },
  {
    name: "restored-pvol",
    words: "somebody restores an old image on a PVOL, and the array copies it",
    target: "mirror",
    weight: 2,
    lasts: false,
    touches: (_world, mirror) => mirrorTouch(mirror),
    begin: (world, mirror, random) => restored(world, mirror, "pvol", random),
  },
  {
    name: "restored-svol",
    words: "somebody restores an old image on an SVOL, unknown to the array",
    target: "mirror",
    weight: 2,
    lasts: false,
    touches: (_world, mirror) => mirrorTouch(mirror),
    begin: (world, mirror, random) => restored(world, mirror, "svol", random),
  },
];

const failures: readonly FaultKind[] = [
  {
    ...base,
    name: "read-error",
    words: "a host's reads of one volume fail",
    begin: (world, target) => setFor(portOf(world, target), "readError", "EIO"),
  },
  {
    ...base,
    name: "write-error",
    words: "a host's writes to one volume fail",
    target: "pvol",
    begin: (world, target) => setFor(portOf(world, target), "writeError", "EIO"),
  },
  {
    ...base,
    name: "io-hang",
    words: "whatever a host asks of one volume hangs, and is done at the end: late writes land",
    weight: 4,
    begin: (world, target) => hung(world, ...parted(target, ":"), ["read", "write"]),
  },
  {
    ...base,
    name: "write-hang",
    words: "a host's writes to one volume hang, its reads do not; they land at the end",
    target: "pvol",
    weight: 3,
    begin: (world, target) => hung(world, ...parted(target, ":"), ["write"]),
  },
  {
    ...base,
    name: "write-of-dead",
    words: "a host's writes to one volume hang, its agent is killed, and they land after its death",
    target: "pvol",
    weight: 3,
    usualSeconds: [5, 30],
    touches: (world, target) => [
      ...volumeTouch(world, target),
      ...hostTouch(parted(target, ":")[0]),
    ],
    begin: writesOfDead,
  },
  {
    ...base,
    name: "io-slow",
    words: "a host's reads and writes of one volume take up to seconds",
    begin: (world, target, random) =>
      setFor(portOf(world, target), "times", {
        readMs: wholeMs(random, 20, 2500),
        writeMs: wholeMs(random, 20, 2500),
      }),
  },
  {
    ...base,
    name: "device-missing",
    words: "a host has lost the device of one volume",
    begin: (world, target) => missing(portOf(world, target)),
  },
  {
    ...base,
    name: "read-only",
    words: "a host's device of a PVOL is read-only",
    target: "pvol",
    begin: (world, target) => setFor(portOf(world, target), "isReadOnly", true),
  },
  {
    name: "cables-swapped",
    words: "two of a host's cables are exchanged: each path leads to the other's volume",
    target: "host",
    weight: 2,
    lasts: true,
    touches: swapTouch,
    begin: swapped,
  },
  {
    name: "volume-remapped",
    words: "two paths of a host lead to each other's volume of a sudden, and nothing fails",
    target: "host",
    weight: 2,
    lasts: true,
    touches: swapTouch,
    begin: remapped,
  },
];

function swapTouch(world: SimulatedWorld, host: string): Touches {
  const { site } = world.host(host);
  const mirrors = world.config.mirrors.filter(({ writer, reader }) =>
    [writer, reader].includes(site),
  );
  const volumes = mirrors.flatMap(({ name }) => volumeTouch(world, `${host}:${name}`));
  return [...hostTouch(host), ...volumes];
}

export const volumeFaults: readonly FaultKind[] = [...lies, ...failures];
