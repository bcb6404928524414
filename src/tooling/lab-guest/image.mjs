/**
 * What the guests of the laboratories boot from: Debian's kernel, taken from its package, and a
 * small initial file system with BusyBox and the modules that are named. Both live in the
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

/** Programs that every guest needs, and the packages that bring them. */
const basePackages = {
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  cpio: "cpio",
};
const firmware = ["seabios", "ipxe-qemu"];
const kernelPackages = "^linux-image-6\\.1\\.0-[0-9]+-amd64$";
const installLimitMs = 600_000;
/** Needed before the host's /usr is there; what they need comes along. */
const baseModules = ["virtio_pci", "9pnet_virtio", "9p"];

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
function installPackages(packages, say) {
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

/** Of the newest 6.1 kernel that apt offers: itself, and the modules that are named; kept. */
function keepKernel(folder, modules, say) {
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
  const order = inLoadOrder(path.join(tree, "lib/modules", version), modules);
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
function inLoadOrder(tree, modules) {
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

/**
 * The first process of a guest: mounts, links, and then one line after the other from the command
 * port, each run in the background, so that a command that hangs stops no other. A serial port may
 * lose letters: a line tells its length and its name twice, is sent again until it is answered, and
 * is run once.
 * Modules listed in /modboot/later are not loaded.
 */
const init = (setup) => `#!/bb/busybox sh
B=/bb/busybox; export PATH=/usr/sbin:/usr/bin:/bb HOME=/root
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
for m in $($B cat /modboot/order); do
  $B grep -qx $m /modboot/later || $B insmod /modboot/$m || echo "insmod $m failed"
done
share() { $B mkdir -p $2; $B mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=$3,msize=524288 $1 $2; }
share usr /usr loose && share dist /dist loose && share lab /lab none || echo "SHARE FAILED"
for w in $($B cat /proc/cmdline); do case $w in node=*) N=\${w#node=};; i=*) i=\${w#i=};; nodeat=*) A=\${w#nodeat=};; esac; done
[ -n "$A" ] && share nodejs $A loose && PATH=$PATH:$A/bin
$B --install -s /bb
mount -t tmpfs t /tmp; mount -t tmpfs t /run; hostname $N; ip link set lo up
${setup}
stty -F /dev/ttyS1 -echo -onlcr raw
echo "GUEST $N READY" >/dev/ttyS0
say() {
  text=$(base64 -w0 /tmp/$1.out)
  (flock 9; echo "@$1 $(cat /tmp/$1.rc) \${#text} $text" >/dev/ttyS1) 9>/tmp/port.lock
}
work() {
  [ "\${#3}" = "$2" ] && [ "$4" = "$1" ] || return
  [ -e /tmp/$1.rc ] && say $1 && return
  mkdir /tmp/$1 2>/dev/null || return
  echo "$3" | base64 -d >/tmp/$1.sh; sh /tmp/$1.sh >/tmp/$1.out 2>&1 </dev/null; echo $? >/tmp/$1.rc
  say $1
}
while read -r id length text again; do work "$id" "$length" "$text" "$again" & done </dev/ttyS1
echo "GUEST $N: command port closed" >/dev/ttyS0; poweroff -f
`;

/**
 * Makes the initial file system; gives its path and that of the kernel. `packages`: programs and
 * their Debian packages; `modules` are loaded, `later` only kept in /modboot; `folders` and `files`
 * (path to text) are made; `setup` is run before the guest is ready.
 */
export function buildImage(folder, say, given) {
  const { packages = {}, modules = [], later = [], folders = [], files = {}, setup = "" } = given;
  installPackages({ ...basePackages, ...packages }, say);
  const kernel = keepKernel(folder, [...baseModules, ...modules, ...later], say);
  const root = path.join(folder, "root");
  rmSync(root, { recursive: true, force: true });
  for (const each of ["bb", "proc", "sys", "dev", "tmp", "run", "usr", "dist", "root", "mnt", "modboot", "etc", "var/lock", "var/run", ...folders]) {
    mkdirSync(path.join(root, each), { recursive: true });
  } // biome-ignore format: a list
  copyFileSync(run("sh", ["-c", "command -v busybox"]).trim(), path.join(root, "bb/busybox"));
  for (const each of ["bin", "sbin", "lib", "lib64"])
    symlinkSync(`usr/${each}`, path.join(root, each));
  for (const file of readdirSync(kernel).filter((name) => name !== "vmlinuz")) {
    copyFileSync(path.join(kernel, file), path.join(root, "modboot", file));
  }
  const write = (name, text) => writeFileSync(path.join(root, name), text);
  write("modboot/later", later.map((name) => `${name}.ko\n`).join(""));
  write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  write("etc/group", "root:x:0:\n");
  for (const [name, text] of Object.entries(files)) write(name, text);
  write("init", init(setup));
  chmodSync(path.join(root, "init"), 0o755);
  const initrd = path.join(folder, "initrd.gz");
  run("sh", ["-c", `find . | cpio -o -H newc --quiet | gzip -1 >"$0"`, initrd], { cwd: root });
  rmSync(root, { recursive: true });
  return { initrd, vmlinuz: path.join(kernel, "vmlinuz") };
}
