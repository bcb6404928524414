/**
 * The guest of the reservation laboratory: its kernel's own SCSI target offers each volume twice,
 * over two adapters with an initiator of their own, as if to two hosts.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { commonOptions } from "../esbuild-options.mjs";
import { booted, command, end as endGuest, start, until } from "../lab-guest/guests.mjs";
import { buildImage as image } from "../lab-guest/image.mjs";

const name = "array";
const memoryMb = 448;
/** Everything is slow under emulation, and slower on a busy machine. */
const commandLimitMs = 240_000;
const disksLimitMs = 30_000;

/** Volume 0 is sda and sdb, volume 1 is sdc and sdd: at tokyo and at osaka. */
export const volumes = 2;
const deviceAt = (volume, siteId) => `/dev/sd${"abcd"[2 * volume + siteId - 1]}`;

const target = `mount -t configfs none /sys/kernel/config
cd /sys/kernel/config/target
for v in 0 1; do
  mkdir -p core/rd_mcp_$v/volume
  echo rd_pages=1024 >core/rd_mcp_$v/volume/control
  echo lab-volume-$v >core/rd_mcp_$v/volume/wwn/vpd_unit_serial
  echo 1 >core/rd_mcp_$v/volume/enable
  for s in 1 2; do
    t=loopback/naa.50014050000000$v$s/tpgt_1
    mkdir -p $t/lun/lun_0
    echo naa.60014050000000$v$s >$t/nexus
    ln -s /sys/kernel/config/target/core/rd_mcp_$v/volume $t/lun/lun_0/port
    n=$((2 * v + s)); w=0
    while [ $(grep -c 'sd[a-d]$' /proc/partitions) -lt $n ] && [ $w -lt 100 ]; do sleep .1; w=$((w + 1)); done
  done
done
cd /`;

export const buildImage = (folder, say) =>
  image(folder, say, {
    modules: ["configfs", "crct10dif_generic", "scsi_mod", "sd_mod", "target_core_mod", "tcm_loop"],
    // Where the target keeps what is to outlive a loss of its power.
    folders: ["var/target/pr"],
    setup: target,
  });

/** The sites of the laboratory, bundled as the program is, beside the program's own library. */
export async function bundleSites(source, dist) {
  mkdirSync("share", { recursive: true });
  const outfile = path.resolve("share/sites.cjs");
  await build({ ...commonOptions, entryPoints: [source], outfile });
  copyFileSync(path.join(dist, "libmirrorbeat.so"), "share/libmirrorbeat.so");
}

export async function boot(kernel, dist) {
  start(name, kernel, dist, { memoryMb, more: ["-no-reboot"] });
  await booted(name);
  const wanted = volumes * 2;
  await until(`the guest has ${wanted} disks`, disksLimitMs, async () => {
    const { text } = await command(name, "grep -c 'sd[a-d]$' /proc/partitions", commandLimitMs);
    return Number(text) === wanted;
  });
}

/** What the shipped code of the sites comes to, step by step. */
export async function atSites(volume, type, steps) {
  const devices = [deviceAt(volume, 1), deviceAt(volume, 2)];
  const words = [type, ...devices, ...steps.map(([site, verb]) => `${site}:${verb}`)];
  const { text } = await command(name, `cd /lab && node sites.cjs ${words.join(" ")} 2>&1`, commandLimitMs); // biome-ignore format: one line
  const lines = text.trim().split("\n");
  return steps.map(([site, verb, wanted], index) => {
    const [, ms = "", said = ""] = /^(\d+) (.*)$/.exec(lines[index] ?? "") ?? [];
    return { type, site, verb, wanted, ms, said: said || `nothing: ${lines[index] ?? ""}` };
  });
}

export const inGuest = async (text) => (await command(name, text, commandLimitMs)).text.trim();

export const end = () => endGuest(name, []);
