// The lab's arrays, volumes and configurations. Each site has one array daemon with a volume for
// each mirror, and in front of each volume: NBD client -> FUSE file -> loop device, all QEMU's. The
// front is a process of its own, because a mirror job cannot run below a FUSE export.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { mountsOf, must, sites, startDaemon, until } from "./machine.mjs";

export const links = { lan: "10.77.1", link: "10.77.2" };
export const hosts = { tokyo: "t1", osaka: "o1" };
export const mirrors = [
  { name: "tokyo-osaka", job: "t-o", writer: "tokyo", reader: "osaka" },
  { name: "osaka-tokyo", job: "o-t", writer: "osaka", reader: "tokyo" },
];
const nbdPort = 10_809;
const monitorPort = 10_810;
const beatPort = 7789;
const addressOf = (site, link) => `${links[link]}.${sites.indexOf(site) + 1}`;

const volumeOf = (folder, site, { job }) => path.join(folder, `${site}-${job}.img`);
const fuseOf = (folder, site, { job }) => path.join(folder, `${site}-${job}.volume`);
const qmpOf = (folder, site) => path.join(folder, `${site}.qmp`);
const ownOf = (folder, site) => path.join(folder, hosts[site]);
export const configOf = (folder, site) => path.join(ownOf(folder, site), "mirrorbeat.toml");
export const stateFileOf = (folder, site) => path.join(ownOf(folder, site), "run", "state.json");
export const journalOf = (folder, site) => path.join(ownOf(folder, site), "state", "journal.log");

function arrayCommand(folder, site) {
  const chardev = (id, where) => [
    "--chardev", `socket,id=${id},${where},server=on,wait=off`, "--monitor", `chardev=${id}`,
  ];
  const volumes = mirrors.flatMap((mirror) => {
    const { job } = mirror;
    const file = volumeOf(folder, site, mirror);
    return [
      "--blockdev", `driver=file,node-name=${job}-vol,filename=${file},cache.direct=on,aio=threads`,
      "--blockdev", `driver=raw,node-name=${job}-front,file=${job}-vol`,
      "--export", `type=nbd,id=${job}-host,node-name=${job}-front,name=${job}-host,writable=on`,
    ];
  });
  return [
    "qemu-storage-daemon",
    ...chardev("own", `path=${qmpOf(folder, site)}`),
    ...chardev("other", `host=${addressOf(site, "link")},port=${monitorPort}`),
    "--object", `throttle-group,id=array.${site}`,
    "--nbd-server", `addr.type=inet,addr.host=0.0.0.0,addr.port=${nbdPort}`,
    ...volumes,
  ];
} // biome-ignore format: command lines

function frontCommand(folder, site, mirror) {
  const server = `server.type=inet,server.host=127.0.0.1,server.port=${nbdPort}`;
  const mountpoint = fuseOf(folder, site, mirror);
  return [
    "qemu-storage-daemon",
    "--blockdev", `driver=nbd,node-name=front,${server},export=${mirror.job}-host`,
    "--export", `type=fuse,id=front,node-name=front,mountpoint=${mountpoint},writable=on`,
  ];
} // biome-ignore format: a command line

/** Starts both arrays, then everything in front of them; gives the loop devices. */
export async function startArrays(folder, { sectorBytes, volumeBytes }) {
  for (const site of sites) {
    for (const mirror of mirrors) {
      // Filled: on holes QEMU finds out an alignment of 4096 bytes that the file does not have.
      writeFileSync(volumeOf(folder, site, mirror), Buffer.alloc(volumeBytes));
      writeFileSync(fuseOf(folder, site, mirror), "");
    }
    startDaemon(folder, site, `array-${site}`, arrayCommand(folder, site));
  }
  const places = sites.flatMap((site) => mirrors.map((mirror) => ({ site, mirror })));
  await until("the arrays answer", () => sites.every((site) => existsSync(qmpOf(folder, site))));
  for (const { site, mirror } of places) {
    await startFront(folder, site, mirror);
  }
  const devices = {};
  for (const { site, mirror } of places) {
    const file = fuseOf(folder, site, mirror);
    const attach = ["-f", "--show", "-b", String(sectorBytes), "--direct-io=on", file];
    devices[`${site}-${mirror.job}`] = (await must("losetup", attach)).trim();
  }
  return devices;
}

/** Its array's NBD server may come a moment after its QMP: then it ends, and is begun again. */
async function startFront(folder, site, mirror) {
  const name = `front-${site}-${mirror.job}`;
  const file = fuseOf(folder, site, mirror);
  let pid = null;
  await until(`${name} is mounted; see ${folder}/${name}.log`, () => {
    if (mountsOf(folder).includes(file)) return true;
    if (pid === null || !existsSync(`/proc/${pid}`)) {
      pid = startDaemon(folder, site, name, frontCommand(folder, site, mirror));
    }
    return false;
  });
}

function pairText(folder, mirror, copying) {
  const end = (site) => `qmp = "${qmpOf(folder, site)}"
monitor = "${addressOf(site, "link")}:${monitorPort}"
address = "${addressOf(site, "link")}:${nbdPort}"
identity = "${site}/${volumeOf(folder, site, mirror).slice(1)}"
`;
  const { job } = mirror;
  return `[mirrors.pair]
provider = "qemu"
job = "${job}"
node = "${job}-vol"
front = "${job}-front"
export = "${job}-replica"
copying = "${copying}"
[mirrors.pair.writer]
${end(mirror.writer)}[mirrors.pair.reader]
${end(mirror.reader)}`;
}

function configText(folder, self, devices, { copying, timing }) {
  const site = (name, index) => `[[sites]]
name = "${name}"
id = ${index + 1}
role = "${index === 0 ? "production" : "standby"}"
[[sites.hosts]]
name = "${hosts[name]}"
slot = 0
address = "${addressOf(name, "lan")}:${beatPort}"
`;
  const mirror = (each) => `[[mirrors]]
name = "${each.name}"
writer = "${each.writer}"
reader = "${each.reader}"
pvol = "${devices[`${each.writer}-${each.job}`]}"
svol = "${devices[`${each.reader}-${each.job}`]}"
installed = false
${pairText(folder, each, copying)}`;
  const own = ownOf(folder, self);
  return `cluster = "lab"
host = "${hosts[self]}"
key_file = "${folder}/authkey"
run_folder = "${own}/run"
state_folder = "${own}/state"
${timing}${sites.map(site).join("")}${mirrors.map(mirror).join("")}`;
}

/** Configurations, a key, and the writers' volumes formatted. */
export async function configure(folder, program, devices, options) {
  await must(program, ["key", "generate", "--out", path.join(folder, "authkey")]);
  for (const site of sites) {
    mkdirSync(path.dirname(configOf(folder, site)), { recursive: true, mode: 0o700 });
    writeFileSync(configOf(folder, site), configText(folder, site, devices, options));
  }
  for (const { name, writer } of mirrors) {
    const config = configOf(folder, writer);
    await must(program, ["format", "--config", config, "--mirror", name, "--yes"]);
  }
}
