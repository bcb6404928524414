/**
 * Which self-fencing is real on this host, and what else a lease presumes of it. Nothing is opened:
 * what the kernel tells in sysfs, and files.
 */
import { accessSync, constants, readFileSync, readlinkSync, readdirSync } from "node:fs";
import path from "node:path";
import { type Config, ownHost } from "../core/base/config.ts";
import { watchdogTimeMinMs } from "../core/base/lease-timing.ts";
import { isSoftware, watchdogAt, type WatchdogFacts } from "../device/watchdog-facts.ts";
import { type Check, type Finding, type Host, restsOnLease, sayer } from "./doctor-checks.ts";

export function textAt(...parts: readonly string[]): string | null {
  try {
    return readFileSync(path.join(...parts), "utf8").trim();
  } catch {
    return null;
  }
}

const seconds = (ms: number) => `${ms / 1000} s`;

function presentWatchdogs(sysfs: string): readonly string[] {
  try {
    return readdirSync(path.join(sysfs, "class/watchdog")).sort();
  } catch {
    return [];
  }
}

/** What the configured times ask of the device. */
function timeFault({ fencing, timing }: Config, facts: WatchdogFacts): string | null {
  const { watchdogLimitMs } = fencing;
  const wishedS = Math.floor(watchdogLimitMs / 1000);
  const { timeoutMinS, timeoutMaxS } = facts;
  if (timeoutMaxS !== null && timeoutMaxS > 0 && wishedS > timeoutMaxS) {
    return `takes at most ${timeoutMaxS} s, watchdog_limit_ms is ${watchdogLimitMs}`;
  }
  if (timeoutMinS !== null && wishedS < timeoutMinS) {
    return `takes at least ${timeoutMinS} s, watchdog_limit_ms is ${watchdogLimitMs}`;
  }
  const needMs = watchdogTimeMinMs(watchdogLimitMs);
  if (timing.watchdogMs >= needMs) return null;
  const why = `a death feeds it once more (docs/fencing.md)`;
  return `watchdog_ms ${timing.watchdogMs} is below ${needMs}: ${why}`;
}

function deviceFinding({ config }: Host, file: string, facts: WatchdogFacts | null): Finding {
  const { ok, warning, fail } = sayer("watchdog");
  if (!facts) {
    const told = `${file} is there, and the kernel tells nothing of it`;
    return warning(told, "use a kernel with CONFIG_WATCHDOG_SYSFS");
  }
  const { name, identity, state, noWayOut } = facts;
  const keeps = noWayOut === null ? "" : noWayOut ? ", cannot be stopped" : ", can be disarmed";
  const limit = seconds(config.fencing.watchdogLimitMs);
  const what = `${file}: ${name} "${identity}", ${state ?? "state not told"}, limit ${limit}${keeps}`;
  const fault = timeFault(config, facts);
  if (fault !== null) return fail(`${what}; ${fault}`, "set both in the file of every host");
  if (isSoftware(identity)) {
    const told = `${what}; a software watchdog dies with its kernel`;
    return warning(told, "name a hardware watchdog, if this machine has one");
  }
  return ok(what);
}

function lookAtWatchdog(host: Host): readonly Finding[] {
  const { ok, warning, fail } = sayer("watchdog");
  const { config, roots } = host;
  const { watchdog } = config.fencing;
  const leased = restsOnLease(config);
  if (watchdog === null) {
    const [present] = presentWatchdogs(roots.sysfs);
    const name = present ? `/dev/${present}` : "a device";
    if (leased) {
      const told = `none is configured, and policy ${config.policy} rests on one`;
      return [fail(told, `write watchdog = "${name}" in [fencing]`)];
    }
    const there = present ? `; ${present} is there` : "";
    return [ok(`none is configured, and this host needs none${there}`)];
  }
  const found = watchdogAt(watchdog, roots.sysfs);
  switch (found.kind) {
    case "device":
      return [deviceFinding(host, watchdog, found.facts)];
    case "fifo":
    case "socket": {
      const told = `${watchdog} is a pipe: it stands in for tests and resets nothing`;
      const next = "name a device in [fencing]";
      return [leased ? fail(told, next) : warning(told, next)];
    }
    case "missing": {
      const told = `${watchdog}: no such device`;
      return [fail(told, "load its driver: modprobe i6300esb, iTCO_wdt, ipmi_watchdog, ...")];
    }
    case "other":
      return [fail(`${watchdog}: ${found.reason}`, "name /dev/watchdogN in [fencing]")];
  }
}

/** The environment of the agent that runs says what it was started by. */
function lookAtServiceManager({ config, roots, agentPid }: Host): readonly Finding[] {
  const { ok, unknown, warning } = sayer("systemd");
  if (!config.fencing.systemd) return [ok("not told of the agent's life (systemd = false)")];
  if (textAt(roots.proc, "1/comm") !== "systemd") return [ok("this host has no systemd")];
  if (agentPid === null) return [unknown("no agent runs to ask", "start it, and look again")];
  const environment = textAt(roots.proc, String(agentPid), "environ");
  if (environment === null) return [unknown("only the agent's own user may tell", "run as root")];
  const words = environment.split("\0");
  if (!words.some((word) => word.startsWith("NOTIFY_SOCKET="))) {
    const told = "the agent was not started as a service of Type=notify";
    return [warning(told, "set Type=notify and WatchdogSec= in its unit")];
  }
  const limit = words.find((word) => word.startsWith("WATCHDOG_USEC="))?.split("=")[1];
  if (!limit) {
    return [warning("a hung agent is not restarted: no WatchdogSec", "set WatchdogSec=30")];
  }
  return [ok(`restarts an agent that writes no record for ${Number(limit) / 1e6} s`)];
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function lookAtStopHook({ config, searchPath }: Host): readonly Finding[] {
  const { ok, warning, fail } = sayer("stop-hook");
  const program = config.hooks.superseded?.[0];
  const edit = 'write superseded = ["/path/to/stop"] in [hooks]';
  if (program === undefined) {
    if (restsOnLease(config)) {
      const told = `none: a lease that runs out can end this service by a reset alone`;
      return [fail(told, edit)];
    }
    if (ownHost(config).beacon) return [ok("none, and this host holds no service")];
    return [warning("none: a site that is superseded stops nothing", edit)];
  }
  const candidates = program.includes("/")
    ? [program]
    : searchPath.split(":").map((folder) => path.join(folder, program));
  const found = candidates.find(mayRun);
  if (found !== undefined) return [ok(`${found}, within ${seconds(config.hooks.limitMs)}`)];
  return [fail(`${program} cannot be run`, "install it, or chmod +x")];
}

const sleepTargets = ["suspend.target", "hibernate.target"] as const;

function isMasked({ etc, run }: Host["roots"], unit: string): boolean {
  return [etc, run].some((root) => {
    try {
      return readlinkSync(path.join(root, "systemd/system", unit)) === "/dev/null";
    } catch {
      return false;
    }
  });
}

function lookAtSleep({ config, roots }: Host): readonly Finding[] {
  const { ok, fail } = sayer("suspend");
  const ways = textAt(roots.sysfs, "power/state") ?? "";
  if (!/\b(mem|disk|standby|freeze)\b/.test(ways)) return [ok("this kernel cannot suspend")];
  const open = sleepTargets.filter((unit) => !isMasked(roots, unit));
  if (open.length === 0) return [ok("suspend and hibernate are masked")];
  if (!restsOnLease(config)) return [ok("not masked, and this host need not mind")];
  const told = "a host that sleeps wakes with a lease that it believes in";
  return [fail(`${open.join(" and ")} not masked: ${told}`, `systemctl mask ${open.join(" ")}`)];
}

function hypervisor({ sysfs, proc }: Host["roots"]): string | null {
  const type = textAt(sysfs, "hypervisor/type");
  if (type) return type;
  const vendor = textAt(sysfs, "class/dmi/id/sys_vendor") ?? "";
  const product = textAt(sysfs, "class/dmi/id/product_name") ?? "";
  const isVirtual = /^flags\s*:.*\bhypervisor\b/m.test(textAt(proc, "cpuinfo") ?? "");
  const named = /QEMU|KVM|VMware|VirtualBox|Xen|Virtual Machine|Bochs|Parallels/i;
  if (!isVirtual && !named.test(`${vendor} ${product}`)) return null;
  return `${vendor} ${product}`.trim() || "its maker is not told";
}

function lookAtVirtualMachine({ config, roots }: Host): readonly Finding[] {
  const { ok, warning } = sayer("virtual");
  const machine = hypervisor(roots);
  if (machine === null) return [ok("not a virtual machine, as far as it tells")];
  if (!restsOnLease(config)) return [ok(`a virtual machine (${machine})`)];
  const told = `a virtual machine (${machine}): one that is paused stops its watchdog and clock`;
  return [
    warning(`${told}, and writes on when it wakes`, "let the array fence: see docs/fencing.md"),
  ];
}

export const fencingChecks: readonly Check[] = [
  { id: "watchdog", look: lookAtWatchdog },
  { id: "systemd", look: lookAtServiceManager },
  { id: "stop-hook", look: lookAtStopHook },
  { id: "suspend", look: lookAtSleep },
  { id: "virtual", look: lookAtVirtualMachine },
];
