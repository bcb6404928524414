/**
 * Notes on the names of heartbeat volumes: a name that the kernel gives in the order in which it
 * finds disks may be another disk's tomorrow. Another device is never written, whatever its name,
 * but a path is lost until the name is mended. Devices of other sites are judged by their names
 * alone: what is called so here is another disk.
 */
import { type Config, type MirrorConfig, ownSite } from "../core/base/config.ts";
import { deviceNumberOf } from "../volume/device-names.ts";
import { isKernelName, lastingNameOf } from "../volume/kernel-names.ts";
import { mapOver } from "../volume/multipath.ts";

/** Where names and devices are looked up; other roots in tests. */
export type DeviceRoots = {
  readonly dev: string;
  readonly sysfs: string;
  readonly numberOf: (name: string) => string | null;
};
const realRoots: DeviceRoots = { dev: "/dev", sysfs: "/sys", numberOf: deviceNumberOf };

function ownNote(name: string, { dev, sysfs, numberOf }: DeviceRoots): string | null {
  const number = numberOf(name);
  const map = number === null ? null : mapOver(number, sysfs);
  if (map) return `is one path of multipath map ${map.name}; name ${dev}/mapper/${map.name}`;
  if (!isKernelName(name, dev)) return null;
  const lasting = lastingNameOf(name, dev);
  const better = lasting === null ? `look in ${dev}/disk/by-id` : `name ${lasting}`;
  return `may be another disk after a reboot; ${better}`;
}

function endNotes(config: Config, mirror: MirrorConfig, roots: DeviceRoots): readonly string[] {
  const own = ownSite(config).name;
  return (["pvol", "svol"] as const).flatMap((end) => {
    const name = mirror[end];
    const there = end === "pvol" ? mirror.writer : mirror.reader;
    const remedy = `may be another disk after a reboot; name it by-id, as at ${there}`;
    const note =
      there === own ? ownNote(name, roots) : isKernelName(name, roots.dev) ? remedy : null;
    return note === null ? [] : [`${mirror.name}: ${end} ${name} ${note}`];
  });
}

export function deviceNameNotes(config: Config, roots: DeviceRoots = realRoots): readonly string[] {
  return config.mirrors.flatMap((mirror) => endNotes(config, mirror, roots));
}
