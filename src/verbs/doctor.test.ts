// Each check on a host that is made of files: what it says, how grave it is, and what helps. Then
// the verb beside a running agent, and on this very machine, of which nothing is opened.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Config,
  type FencingConfig,
  fencingDefaults,
  type Policy,
} from "../core/base/config.ts";
import { configFor } from "../testing/core-config.ts";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import {
  type Check,
  type Finding,
  type Host,
  realRoots,
  runChecks,
  worstOf,
} from "./doctor-checks.ts";
import { fencingChecks } from "./doctor-fencing.ts";
import { conditionChecks, hostChecks } from "./doctor-host.ts";
import { doctorJson, doctorText } from "./doctor-text.ts";
import { doctorVerb } from "./doctor.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-doctor-"));
const checks: readonly Check[] = [...hostChecks, ...fencingChecks, ...conditionChecks];

type Files = Readonly<Record<string, string>>;

/** A host of files; "-> target" makes a symbolic link. */
function hostOf(files: Files, given: Partial<Config> = {}, agentPid: number | null = null): Host {
  const root = mkdtempSync(path.join(folder, "host-"));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    if (text.startsWith("-> ")) symlinkSync(text.slice(3), file);
    else writeFileSync(file, text);
  }
  const at = (name: string) => path.join(root, name);
  const roots = { sysfs: at("sys"), proc: at("proc"), etc: at("etc"), run: at("run") };
  const config = { ...configFor("tokyo-1", { policy: "lease" }), runFolder: at("run"), ...given };
  return { config, roots, searchPath: at("bin"), agentPid };
}

async function found(id: string, host: Host): Promise<Finding> {
  const findings = await runChecks(
    checks.filter((check) => check.id === id),
    host,
  );
  assert.is(findings.length, 1, JSON.stringify(findings));
  return findings[0] as Finding;
}

const fencing = (given: Partial<FencingConfig>): { fencing: FencingConfig } => ({
  fencing: { ...fencingDefaults, watchdogLimitMs: 1000, ...given },
});
const operator = { policy: "operator" as Policy };

/** /dev/null plays the device: what it is stands in the files alone, and nothing opens it. */
const device = (facts: Files): Files => ({
  "sys/dev/char/1:3": "-> ../../devices/watchdog0",
  "sys/devices/watchdog0/uevent": "",
  ...Object.fromEntries(
    Object.entries(facts).map(([name, text]) => [`sys/class/watchdog/watchdog0/${name}`, text]),
  ),
});
const hardware = { identity: "iTCO_wdt\n", state: "inactive\n", nowayout: "0\n" };
const aDevice = fencing({ watchdog: "/dev/null" });

test("watchdog: none is grave under a lease alone", async () => {
  const leased = await found("watchdog", hostOf(device(hardware)));
  assert.is(leased.level, "fail");
  assert.is(leased.next, 'write watchdog = "/dev/watchdog0" in [fencing]');
  const by = await found("watchdog", hostOf(device(hardware), operator));
  assert.is(by.level, "ok");
  assert.match(by.finding, /needs none; watchdog0 is there$/);
});

test("a beacon or a witness holds no lease: nothing of all this is grave there", async () => {
  const config = configFor("tokyo-1", { policy: "lease", beacons: ["tokyo-1"] });
  const hooks = { takeover: null, superseded: null, verdict: null, limitMs: 1000 };
  const beacon = hostOf({ "sys/power/state": "mem\n" }, { sites: config.sites, hooks });
  for (const id of ["watchdog", "stop-hook", "suspend", "virtual"]) {
    assert.is((await found(id, beacon)).level, "ok", id);
  }
});

test("watchdog: hardware, software, one that cannot be stopped, one of which nothing is told", async () => {
  const good = await found("watchdog", hostOf(device(hardware), aDevice));
  assert.is(good.level, "ok", good.finding);
  assert.is(good.finding, '/dev/null: watchdog0 "iTCO_wdt", inactive, limit 1 s, can be disarmed');
  const soft = device({ ...hardware, identity: "Software Watchdog\n" });
  const software = await found("watchdog", hostOf(soft, aDevice));
  assert.is(software.level, "warning");
  assert.match(software.finding, /a software watchdog dies with its kernel/);
  const stuck = await found("watchdog", hostOf(device({ ...hardware, nowayout: "1" }), aDevice));
  assert.match(stuck.finding, /cannot be stopped/);
});

test("watchdog: times that the device cannot keep, or that leave no room for a death", async () => {
  const limited = device({ ...hardware, max_timeout: "2", min_timeout: "1" });
  const long = fencing({ watchdog: "/dev/null", watchdogLimitMs: 9000 });
  assert.match((await found("watchdog", hostOf(limited, long))).finding, /takes at most 2 s/);
  const slow = device({ ...hardware, min_timeout: "30" });
  assert.match((await found("watchdog", hostOf(slow, aDevice))).finding, /takes at least 30 s/);
  // T_wd of this configuration is 3000 ms: 1.5 x (1000 + 1000), and not a second more.
  const tight = fencing({ watchdog: "/dev/null", watchdogLimitMs: 2000 });
  const short = await found("watchdog", hostOf(device(hardware), tight));
  assert.is(short.level, "fail");
  assert.match(short.finding, /watchdog_ms 3000 is below 4500: a death feeds it once more/);
});

test("watchdog: a pipe resets nothing, and what is no watchdog is none", async () => {
  const pipe = path.join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const leased = await found("watchdog", hostOf({}, fencing({ watchdog: pipe })));
  assert.is(leased.level, "fail");
  assert.match(leased.finding, /stands in for tests and resets nothing/);
  const by = await found("watchdog", hostOf({}, { ...fencing({ watchdog: pipe }), ...operator }));
  assert.is(by.level, "warning");
  for (const [file, words] of [
    [path.join(folder, "gone"), /no such device/],
    ["/dev/null", /a device, but no watchdog/],
    [folder, /no device, pipe or socket/],
  ] as const) {
    const finding = await found("watchdog", hostOf({}, fencing({ watchdog: file })));
    assert.is(finding.level, "fail");
    assert.match(finding.finding, words);
  }
});

test("systemd: whether a hung agent is restarted, as the agent's own environment tells", async () => {
  const of = (environ: string, pid: number | null = 42) =>
    found("systemd", hostOf({ "proc/1/comm": "systemd\n", "proc/42/environ": environ }, {}, pid));
  const good = await of("PATH=/bin\0NOTIFY_SOCKET=/run/n\0WATCHDOG_USEC=30000000\0");
  assert.equal(
    [good.level, good.finding],
    ["ok", "restarts an agent that writes no record for 30 s"],
  );
  assert.match((await of("NOTIFY_SOCKET=/run/n\0")).finding, /no WatchdogSec/);
  assert.match((await of("PATH=/bin\0")).finding, /not started as a service of Type=notify/);
  assert.is((await of("", null)).level, "unknown");
  assert.is((await found("systemd", hostOf({ "proc/1/comm": "init\n" }))).level, "ok");
  const off = hostOf({ "proc/1/comm": "systemd\n" }, fencing({ systemd: false }));
  assert.is((await found("systemd", off)).level, "ok");
});

test("stop hook: configured, there, and allowed to run", async () => {
  const hooks = { takeover: null, verdict: null, limitMs: 60_000 };
  const of = (superseded: readonly string[] | null, given: Partial<Config> = {}) => {
    const host = hostOf({ "bin/stop-it": "" }, { hooks: { ...hooks, superseded }, ...given });
    return { host, program: path.join(host.searchPath, "stop-it") };
  };
  assert.is((await found("stop-hook", of(null).host)).level, "fail");
  assert.is((await found("stop-hook", of(null, operator).host)).level, "warning");
  const { host, program } = of(["stop-it", "now"]);
  assert.is((await found("stop-hook", host)).level, "fail", "it is not executable");
  chmodSync(program, 0o755);
  const good = await found("stop-hook", host);
  assert.equal([good.level, good.finding], ["ok", `${program}, within 60 s`]);
  assert.is((await found("stop-hook", of(["/nowhere/stop"]).host)).level, "fail");
});

test("suspend: masked, or impossible", async () => {
  const masks = {
    "etc/systemd/system/suspend.target": "-> /dev/null",
    "run/systemd/system/hibernate.target": "-> /dev/null",
  };
  const able = { "sys/power/state": "freeze mem disk\n" };
  assert.is((await found("suspend", hostOf({ ...able, ...masks }))).level, "ok");
  const open = await found("suspend", hostOf(able));
  assert.is(open.level, "fail");
  assert.is(open.next, "systemctl mask suspend.target hibernate.target");
  assert.is((await found("suspend", hostOf(able, operator))).level, "ok");
  assert.is((await found("suspend", hostOf({ "sys/power/state": "\n" }))).level, "ok");
});

test("virtual machine: told by the processor, by its maker, or not at all", async () => {
  const qemu = { "sys/class/dmi/id/sys_vendor": "QEMU\n", "sys/class/dmi/id/product_name": "PC\n" };
  const vendor = await found("virtual", hostOf(qemu));
  assert.is(vendor.level, "warning");
  assert.match(vendor.finding, /\(QEMU PC\): one that is paused stops its watchdog and clock/);
  const flag = { "proc/cpuinfo": "processor : 0\nflags\t\t: fpu hypervisor lahf_lm\n" };
  assert.is((await found("virtual", hostOf(flag))).level, "warning");
  assert.is((await found("virtual", hostOf(flag, operator))).level, "ok");
  const metal = { "sys/class/dmi/id/sys_vendor": "Dell Inc.\n", "proc/cpuinfo": "flags : fpu\n" };
  assert.is((await found("virtual", hostOf(metal))).level, "ok");
});

test("clock: what chrony may do to it, against the drift that the lease allows for", async () => {
  const drift = (driftPpm: number) => ({
    timing: { ...configFor("tokyo-1", { policy: "lease" }).timing, driftPpm },
  });
  // The kernel bounds the correction: 100000 ppm is never exceeded.
  const wide = drift(200_000);
  assert.is((await found("clock", hostOf({}, wide))).level, "ok");
  const plain = { "etc/chrony/chrony.conf": "pool example.org\n" };
  assert.is((await found("clock", hostOf(plain, wide))).level, "ok");
  const narrow = drift(100_000);
  const slews = { "etc/chrony.conf": "maxslewrate 150000\n" };
  const bad = await found("clock", hostOf(slews, narrow));
  assert.is(bad.level, "warning");
  assert.match(bad.finding, /chrony may slew it by 150000 ppm, drift_ppm is 100000/);
  const mended = { ...slews, "etc/chrony/conf.d/slow.conf": "maxslewrate 500\n" };
  assert.is((await found("clock", hostOf(mended, narrow))).level, "ok");
  assert.is(
    (await found("clock", hostOf({}, drift(-1)))).level,
    "warning",
    "any rate is above this",
  );
});

test("memory: swap, unless the agent is held in memory", async () => {
  const swap = "Filename Type Size Used Priority\n/dev/sda2 partition 1000 0 -2\n";
  const none = "Filename Type Size Used Priority\n";
  assert.is((await found("memory", hostOf({ "proc/swaps": none }))).level, "ok");
  assert.is((await found("memory", hostOf({ "proc/swaps": swap }))).level, "warning");
  const of = (status: string) =>
    found("memory", hostOf({ "proc/swaps": swap, "proc/42/status": status }, {}, 42));
  assert.is((await of("VmLck:\t   9000 kB\nVmSwap:\t 0 kB\n")).level, "ok");
  assert.match(
    (await of("VmLck:\t 0 kB\nVmSwap:\t 12 kB\n")).finding,
    /12 kB of the agent are in it/,
  );
});

test("a check that hangs or breaks is a finding of its own, and stops no other", async () => {
  const broken: Check = {
    id: "broken",
    look: () => {
      throw new Error("no such thing");
    },
  };
  const [first, second] = await runChecks([broken, { id: "fine", look: () => [] }], hostOf({}));
  assert.is(first?.level, "unknown");
  assert.match(first?.finding ?? "", /could not be looked at: no such thing/);
  assert.is(second, undefined);
});

test("verdict, findings and the next command: ASCII, 80 columns; JSON for machines", () => {
  const findings: readonly Finding[] = [
    { id: "key", level: "ok", finding: "a key", next: null },
    { id: "clock", level: "warning", finding: "slews \u00fc", next: "wait" },
    { id: "watchdog", level: "fail", finding: "none ".repeat(30).trim(), next: "modprobe one" },
  ];
  const text = doctorText(findings);
  assert.ok(isConsoleText(text), text);
  const lines = text.split("\n");
  assert.is(lines[0], "MIRRORBEAT CRITICAL - watchdog");
  assert.is(lines[1], "[ok]   key        a key");
  assert.is(lines[2], "[WARN] clock      slews ?  -> wait");
  assert.is(lines.at(-2), "next: modprobe one");
  assert.equal(JSON.parse(doctorJson(findings)), { schema: 1, level: "fail", findings });
  assert.is(worstOf(findings.slice(0, 2)), "warning");
  assert.is(worstOf([]), "ok");
});

test("the verb: a configuration that is bad or missing is critical, in one finding", async () => {
  const file = path.join(folder, "bad.toml");
  writeFileSync(file, "cluster = 3\n");
  const bad = await runVerb(doctorVerb, ["--config", file]);
  assert.is(bad.code, 2);
  assert.match(bad.out, /^MIRRORBEAT CRITICAL - config\n\[FAIL\] config {5}/);
  assert.ok(isConsoleText(bad.out.replaceAll(folder, "")), bad.out);
  const missing = await runVerb(doctorVerb, ["--config", path.join(folder, "none"), "--json"]);
  assert.is(missing.code, 2);
  const told = JSON.parse(missing.out) as { level: string; findings: Finding[] };
  assert.is(told.level, "fail");
  assert.is(told.findings.length, 1);
  assert.is((await runVerb(doctorVerb, ["more"])).code, 64);
});

test("the verb on this machine: every check answers, and no watchdog is opened", async () => {
  const watchdogs = () =>
    execFileSync("sh", ["-c", "cat /sys/class/watchdog/*/state 2>&1 || true"]);
  const before = String(watchdogs());
  const run = await runVerb(doctorVerb, ["--config", "fixtures/config/good.toml", "--json"]);
  const { findings } = JSON.parse(run.out) as { findings: Finding[] };
  const ids = new Set(findings.map(({ id }) => id));
  for (const { id } of checks) assert.ok(ids.has(id), id);
  assert.ok([1, 2, 3].includes(run.code), "no agent runs there");
  assert.is(String(watchdogs()), before);
  assert.ok(
    findings.every(({ finding }) => !/could not be looked at/.test(finding)),
    run.out,
  );
  assert.is(realRoots.sysfs, "/sys");
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
