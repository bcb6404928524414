/**
 * Two agents of the program in one guest, under a lease: t1 holds the service and is fenced by the
 * guest's watchdog, o1 grants. A mirror is one part of the disk under two names, so that what one
 * site writes the other reads.
 */
import { writeFileSync } from "node:fs";
import { command, must, until } from "./guests.mjs";

const program = "/dist/mirrorbeat";
const watchdogLimitMs = 4000;
const startLimitMs = 180_000;
const lookEveryMs = 1000;
/** Sectors of 512 bytes of each mirror. */
const sectors = 8192;
const hosts = { t1: "tokyo", o1: "osaka" };
/** Name, writer, reader, and the numbers of the maps that are its PVOL and its SVOL. */
const mirrors = [
  ["t-o", "t1", "o1", 0, 1],
  ["o-t", "o1", "t1", 2, 3],
];

const site = (host, id, role) => `[[sites]]
name = "${hosts[host]}"
id = ${id}
role = "${role}"
[[sites.hosts]]
name = "${host}"
slot = 0
address = "127.0.0.1:778${id}"
`;
const mirror = ([name, writer, reader, pvol, svol]) => `[[mirrors]]
name = "${name}"
writer = "${hosts[writer]}"
reader = "${hosts[reader]}"
pvol = "/dev/dm-${pvol}"
svol = "/dev/dm-${svol}"
`;
const configText = (host) => `cluster = "lab"
host = "${host}"
key_file = "/run/key"
run_folder = "/run/${host}"
state_folder = "/run/${host}-state"
policy = "lease"
[timing]
lease_ms = 16000
watchdog_ms = 7500
stop_ms = 3000
hang_ms = 500
[hooks]
takeover = ["/run/hook", "start"]
superseded = ["/run/hook", "stop"]
[fencing]
watchdog = "/dev/watchdog0"
watchdog_limit_ms = ${watchdogLimitMs}
${site("t1", 1, "production")}${site("o1", 2, "standby")}${mirrors.map(mirror).join("")}`;

function mapsText() {
  const lines = mirrors.flatMap(([name, , , pvol, svol], at) =>
    [pvol, svol].map((number) => {
      const table = `0 ${sectors} linear /dev/vda ${at * sectors}`;
      return `dmsetup create ${name}-${number} --noudevsync --noudevrules --table '${table}'`;
    }),
  );
  return lines.join(" && ");
}

/** Volumes, key and folders, once in each boot. */
export async function prepareAgents(name) {
  for (const host of Object.keys(hosts)) writeFileSync(`share/${host}.toml`, configText(host));
  // What the boot before has left there is of a key that is lost.
  await must(name, "dd if=/dev/zero of=/dev/vda bs=1M count=16 conv=fsync 2>&1");
  await must(name, mapsText());
  await must(name, `printf '#!/bin/sh\\nexit 0\\n' >/run/hook; chmod +x /run/hook`);
  await must(name, "mkdir -p -m 700 /run/t1 /run/o1 /run/t1-state /run/o1-state");
  await must(name, `${program} key generate --out /run/key`);
  for (const [mirrorName, writer] of mirrors) {
    await must(name, `${program} format --mirror ${mirrorName} --config /lab/${writer}.toml --yes`);
  }
}

/** Both agents, until t1 is active by the lease and its watchdog is armed. */
export async function startAgents(name) {
  for (const host of Object.keys(hosts)) {
    const run = `${program} run --config /lab/${host}.toml`;
    await must(name, `setsid ${run} </dev/null >/run/${host}.log 2>&1 &`);
  }
  let told = "";
  const isArmed = async () => {
    told = (await command(name, "cat /run/t1.log")).text;
    return /ev=role role=active/.test(told) && /ev=watchdog .*armed/.test(told);
  };
  await until("t1 is active and armed", startLimitMs, isArmed, lookEveryMs).catch((error) => {
    throw new Error(`${name}: ${error.message}; it said:\n${told}`);
  });
}
