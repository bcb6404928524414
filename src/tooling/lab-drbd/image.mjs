/**
 * What the guests of the DRBD laboratory boot from: Debian's kernel, taken from its package, and a
 * small initial file system with BusyBox, DRBD's modules and its configuration. Both live in the
 * laboratory's folder; packages that are missing are installed by apt.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

const packages = {
  "qemu-system-x86_64": "qemu-system-x86",
  drbdsetup: "drbd-utils",
  busybox: "busybox-static",
  cpio: "cpio",
};
const firmware = ["seabios", "ipxe-qemu"];
const kernelPackages = "^linux-image-6\\.1\\.0-[0-9]+-amd64$";
const installLimitMs = 600_000;
/** Needed before the host's /usr is there, and DRBD itself; what they need comes along. */
const modules = ["virtio_pci", "9pnet_virtio", "9p", "virtio_net", "virtio_blk", "crc32c_generic", "drbd"]; // biome-ignore format: one line

const run = (program, args, options = {}) =>
  execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: installLimitMs,
    maxBuffer: 64 << 20,
    ...options,
  });

const onPath = (program) =>
  (process.env.PATH ?? "").split(":").some((folder) => existsSync(path.join(folder, program)));

/** Installs what is missing; says so first. */
export function installPackages(say) {
  const missing = Object.keys(packages).filter((program) => !onPath(program));
  if (missing.length === 0) return;
  const names = [...missing.map((program) => packages[program]), ...firmware];
  say(`installing ${names.join(" ")}`);
  run("apt-get", ["update", "-qq"]);
  run("apt-get", ["install", "-y", "--no-install-recommends", ...names]);
}

function newestKernel() {
  const search = () => run("apt-cache", ["search", "--names-only", kernelPackages]);
  const offered = search() || (run("apt-get", ["update", "-qq"]), search());
  const names = offered.split("\n").map((line) => line.split(" ")[0]);
  const number = (name) => Number(/6\.1\.0-(\d+)/.exec(name)?.[1] ?? 0);
  const [name] = names.sort((a, b) => number(b) - number(a));
  if (!name) throw new Error("apt offers no linux-image-6.1.0-NN-amd64");
  return name;
}

/** Of the newest 6.1 kernel that apt offers: itself, and the modules that are loaded; kept. */
function keepKernel(folder, say) {
  const kernel = path.join(folder, "kernel");
  if (existsSync(kernel)) return kernel;
  const name = newestKernel();
  say(`fetching ${name} (70 MB, once)`);
  const fetched = path.join(folder, "fetched");
  rmSync(fetched, { recursive: true, force: true });
  mkdirSync(path.join(fetched, "kept"), { recursive: true });
  chmodSync(fetched, 0o777); // apt fetches as a user of its own
  run("apt-get", ["download", name], { cwd: fetched });
  const file = readdirSync(fetched).find((each) => each.endsWith(".deb"));
  const tree = path.join(fetched, "tree");
  run("dpkg-deb", ["-x", path.join(fetched, file), tree]);
  const [version] = readdirSync(path.join(tree, "lib/modules"));
  run("busybox", ["depmod", "-b", tree, version]);
  const order = inLoadOrder(path.join(tree, "lib/modules", version));
  const keep = (from, as) =>
    copyFileSync(path.join(tree, from), path.join(fetched, "kept", as ?? path.basename(from)));
  keep(`boot/vmlinuz-${version}`, "vmlinuz");
  for (const each of order) keep(path.join("lib/modules", version, each));
  const names = order.map((each) => `${path.basename(each)}\n`);
  writeFileSync(path.join(fetched, "kept", "order"), names.join(""));
  renameSync(path.join(fetched, "kept"), kernel);
  rmSync(fetched, { recursive: true });
  return kernel;
}

/** The modules' files in the order in which they are to be loaded. */
function inLoadOrder(tree) {
  const lines = readFileSync(path.join(tree, "modules.dep"), "utf8").split("\n");
  const needs = new Map(
    lines.filter(Boolean).map((line) => {
      const [file, rest] = line.split(":");
      return [file, rest.trim().split(" ").filter(Boolean).reverse()];
    }),
  );
  const order = [];
  for (const module of modules) {
    const file = [...needs.keys()].find((name) => path.basename(name, ".ko") === module);
    if (!file) continue; // built into this kernel
    for (const each of [...needs.get(file), file]) if (!order.includes(each)) order.push(each);
  }
  return order;
}

export const drbdConf = `global { usage-count no; }
common {
  net {
    protocol C;
    timeout 20; ping-int 3; connect-int 3; ping-timeout 10;
    after-sb-0pri disconnect; after-sb-1pri disconnect; after-sb-2pri disconnect;
  }
}
resource hba {
  device /dev/drbd0; disk /dev/vda; meta-disk internal;
  on tokyo { address 10.78.2.1:7789; }
  on osaka { address 10.78.2.2:7789; }
}
resource hbb {
  device /dev/drbd1; disk /dev/vdb; meta-disk internal;
  on tokyo { address 10.78.2.1:7790; }
  on osaka { address 10.78.2.2:7790; }
}
`;

/**
 * The first process of a guest: mounts, links, and then one line after the other from the command
 * port, each run in the background, so that a command that hangs stops no other. A serial port may
 * lose letters: a line tells its length, is sent again until it is answered, and is run once.
 */
const init = `#!/bb/busybox sh
B=/bb/busybox; export PATH=/usr/sbin:/usr/bin:/bb HOME=/root
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
for m in $($B cat /modboot/order); do $B insmod /modboot/$m || echo "insmod $m failed"; done
share() { $B mkdir -p $2; $B mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=$3,msize=524288 $1 $2; }
share usr /usr loose && share dist /dist loose && share lab /lab none || echo "SHARE FAILED"
for w in $($B cat /proc/cmdline); do case $w in node=*) N=\${w#node=};; i=*) i=\${w#i=};; nodeat=*) A=\${w#nodeat=};; esac; done
[ -n "$A" ] && share nodejs $A loose && PATH=$PATH:$A/bin
$B --install -s /bb
mount -t tmpfs t /tmp; mount -t tmpfs t /run; hostname $N; ip link set lo up
ip addr add 10.78.1.$i/24 dev eth0; ip link set eth0 up
ip addr add 10.78.2.$i/24 dev eth1; ip link set eth1 up
stty -F /dev/ttyS1 -echo -onlcr raw
echo "GUEST $N READY" >/dev/ttyS0
say() {
  text=$(base64 -w0 /tmp/$1.out)
  (flock 9; echo "@$1 $(cat /tmp/$1.rc) \${#text} $text" >/dev/ttyS1) 9>/tmp/port.lock
}
work() {
  [ "\${#3}" = "$2" ] || return
  [ -e /tmp/$1.rc ] && say $1 && return
  [ -e /tmp/$1.sh ] && return
  echo "$3" | base64 -d >/tmp/$1.sh; sh /tmp/$1.sh >/tmp/$1.out 2>&1 </dev/null; echo $? >/tmp/$1.rc
  say $1
}
while read -r id length text; do work "$id" "$length" "$text" & done </dev/ttyS1
echo "GUEST $N: command port closed" >/dev/ttyS0; poweroff -f
`;

/** Makes the initial file system; gives its path and that of the kernel. */
export function buildImage(folder, say) {
  installPackages(say);
  const kernel = keepKernel(folder, say);
  const root = path.join(folder, "root");
  rmSync(root, { recursive: true, force: true });
  for (const each of ["bb", "proc", "sys", "dev", "tmp", "run", "usr", "dist", "root", "mnt", "modboot", "etc/drbd.d", "var/lib/drbd", "var/lock", "var/run"]) {
    mkdirSync(path.join(root, each), { recursive: true });
  } // biome-ignore format: a list
  copyFileSync(run("sh", ["-c", "command -v busybox"]).trim(), path.join(root, "bb/busybox"));
  for (const each of ["bin", "sbin", "lib", "lib64"])
    symlinkSync(`usr/${each}`, path.join(root, each));
  for (const file of readdirSync(kernel).filter((name) => name !== "vmlinuz")) {
    copyFileSync(path.join(kernel, file), path.join(root, "modboot", file));
  }
  const write = (name, text) => writeFileSync(path.join(root, name), text);
  write("etc/drbd.conf", drbdConf);
  write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  write("etc/group", "root:x:0:\n");
  write("etc/hosts", "127.0.0.1 localhost\n10.78.1.1 tokyo\n10.78.1.2 osaka\n");
  write("init", init);
  chmodSync(path.join(root, "init"), 0o755);
  const initrd = path.join(folder, "initrd.gz");
  run("sh", ["-c", `find . | cpio -o -H newc --quiet | gzip -1 >"$0"`, initrd], { cwd: root });
  rmSync(root, { recursive: true });
  return { initrd, vmlinuz: path.join(kernel, "vmlinuz") };
}
