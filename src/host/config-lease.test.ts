/** Leases, witnesses, data groups and fencing as a configuration gives them. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { policies, takeoverDefaults } from "../core/base/config.ts";
import { dataGroupsMax } from "../core/sector/layout.ts";
import { dataGroupsMost } from "./config-data.ts";
import { type ConfigFiles, faultLine, loadConfig } from "./config-file.ts";

const lease = readFileSync("fixtures/config/good-lease.toml", "utf8");
const witness = readFileSync("fixtures/config/good-witness.toml", "utf8");
const operator = readFileSync("fixtures/config/good.toml", "utf8");

function load(text: string, host: string | null = null) {
  const files: ConfigFiles = {
    read: () => ({ ok: true, bytes: new TextEncoder().encode(text) }),
    list: () => [],
    resolve: (file) => file,
  };
  return loadConfig({ file: "/m.toml", host, hostname: "other", files });
}

function good(text: string, host: string | null = null) {
  const loaded = load(text, host);
  if (!loaded.ok) throw new Error(loaded.faults.map(faultLine).join("\n"));
  return loaded;
}

function faultsOf(text: string, host: string | null = null): readonly string[] {
  const loaded = load(text, host);
  return loaded.ok ? [] : loaded.faults.map(faultLine);
}

/** The text without the lines or tables that begin so; a table ends before the next header. */
function without(text: string, ...beginnings: readonly string[]): string {
  let inTable = false;
  const kept = text.split("\n").filter((line) => {
    if (line.startsWith("[")) inTable = beginnings.includes(line);
    return !inTable && !beginnings.some((beginning) => line.startsWith(beginning));
  });
  return kept.join("\n");
}

const leaseTimes = ["lease_ms", "watchdog_ms", "stop_ms", "takeover_wait_ms"];

test("a lease, its data group and its fencing are read as they are written", () => {
  const { config, origins } = good(lease);
  assert.is(config.policy, "lease");
  const { leaseMs, watchdogMs, stopMs, lateWriteMs, hangMs, takeoverWaitMs } = config.timing;
  assert.equal([leaseMs, watchdogMs, stopMs], [20_000, 10_000, 4000]);
  assert.equal([lateWriteMs, hangMs, takeoverWaitMs], [2000, 3000, 43_000]);
  assert.equal(config.takeover, { ...takeoverDefaults, rpoMaxMs: 30_000 });
  assert.equal(config.fencing, {
    watchdog: "/dev/watchdog0",
    watchdogLimitMs: 5000,
    systemd: true,
  });
  assert.equal(config.dataGroups, [
    {
      name: "orders",
      id: 1,
      writer: "tokyo",
      reader: "osaka",
      pvol: "/dev/mapper/orders",
      svol: "/dev/mapper/orders",
      pair: {
        provider: "exec",
        writer: {
          query_limit_ms: 2000,
          change_limit_ms: 60_000,
          program: ["/usr/local/sbin/my-array"],
          settings: "group=ORDERS instance=10",
        },
        reader: {
          query_limit_ms: 2000,
          change_limit_ms: 60_000,
          program: ["/usr/local/sbin/my-array"],
          settings: "group=ORDERS instance=20",
        },
      },
    },
  ]);
  assert.equal(config.dataDevices, ["/dev/mapper/orders"], "a data volume is a data device");
  assert.equal(origins.get("timing.hang_ms"), { kind: "file", file: "/m.toml", line: 11 });
  assert.equal(origins.get("timing.lock_ms"), { kind: "derived", from: "other timings" });
  assert.equal(origins.get("timing.drift_ppm"), { kind: "default" });
  assert.equal(origins.get("fencing.watchdog_limit_ms"), {
    kind: "derived",
    from: "watchdog_ms",
  });
});

test("what a lease leaves out is derived so that every inequality holds", () => {
  const bare = without(lease, ...leaseTimes, "hang_ms", "late_write_ms");
  const { timing } = good(bare).config;
  assert.equal(
    [timing.leaseMs, timing.stopMs, timing.watchdogMs, timing.takeoverWaitMs],
    [44_000, 8800, 10_000, 66_131],
  );
  const short = good(bare.replace("[timing]", "[timing]\nhang_ms = 1000")).config.timing;
  assert.is(short.leaseMs, 13_000);
  assert.equal(faultsOf(bare.replace("[timing]", "[timing]\nlease_ms = 20000")), [
    "/m.toml:6: timing.lease_ms: must be lease - stop > (1+rho) ((lost_rounds+2) interval + 2 (hang + latency + poll + read_limit) + feed + scheduling), else a write that hangs stops the service for nothing; 20000 - 4000 = 16000 ms <= 34535 ms = 1.001 x (4 x 1000 + 2 x (13200 + 500 + 500 + 500) + 1000 + 100); leave lease_ms out for 44000, or change it",
  ]);
});

test("only a host that may hold the service needs watchdog and hooks", () => {
  const armed = without(lease, "[hooks]", "[fencing]");
  assert.is(faultsOf(armed).length, 3);
  const slot = 'name = "ctl-b2"\nslot = 1\n';
  assert.equal(faultsOf(armed.replace(slot, `${slot}beacon = true\n`), "ctl-b2"), []);
  assert.equal(faultsOf(without(witness, "[hooks]", "[fencing]")), [], "the witness itself");
  assert.is(faultsOf(without(witness, "[hooks]", "[fencing]"), "ctl-a1").length, 3);
});

test("a pipe that stands in for a watchdog may take the whole time, in any unit", () => {
  const pipe = (limit: string) =>
    lease.replace('watchdog = "/dev/watchdog0"', `watchdog = "/run/mb/watchdog"\n${limit}`);
  assert.is(good(pipe("")).config.fencing.watchdogLimitMs, 10_000);
  assert.is(good(pipe("watchdog_limit_ms = 9500")).config.fencing.watchdogLimitMs, 9500);
  assert.match(
    faultsOf(pipe("watchdog_limit_ms = 10001"))[0] ?? "",
    /at most watchdog_ms = 10000;/,
  );
});

test("a device counts whole seconds: three of its time-outs and resets are two whole times", () => {
  const whole = (ms: number) => lease.replace("watchdog_ms = 10000", `watchdog_ms = ${ms}`);
  assert.is(good(whole(9000)).config.fencing.watchdogLimitMs, 5000);
  assert.is(good(whole(8999)).config.fencing.watchdogLimitMs, 4000);
  assert.is(good(whole(4500)).config.fencing.watchdogLimitMs, 2000);
  assert.equal(faultsOf(whole(1500)), [
    "/m.toml:21: fencing.watchdog_limit_ms: 0 is too short: two feedings take 750 ms; raise timing.watchdog_ms",
  ]);
});

test("a witness is a beacon that takes part, with an address and without mirrors", () => {
  const { config } = good(witness);
  assert.equal(config.self, { site: "nagoya", host: "wit-c1" });
  assert.equal(config.sites[2], {
    name: "nagoya",
    id: 3,
    role: "witness",
    quorum: 1,
    hosts: [
      {
        site: "nagoya",
        name: "wit-c1",
        slot: 0,
        address: { host: "10.0.7.11", port: 7789 },
        beacon: true,
        enabled: true,
      },
    ],
  });
  assert.is(good(witness, "ctl-a1").config.self.site, "tokyo");
  assert.equal(config.dataDevices, [], "no data volume is at the witness");
});

test("one site and a witness are not two sites", () => {
  const text = operator.replace('role = "standby"', 'role = "witness"');
  assert.ok(
    faultsOf(text).includes(
      "/m.toml:11: sites: one site only beside the witness; two or more are needed: add [[sites]]",
    ),
    faultsOf(text).join("\n"),
  );
});

const arbiters: Readonly<Record<string, string>> = {
  reservation: 'reservation_devices = ["/dev/disk/by-id/wwn-0x1"]',
  booth: 'booth_ticket = "service"\nbooth_client = ["/usr/sbin/booth", "-c", "/etc/booth.conf"]',
  command: 'fence_command = ["/usr/local/sbin/fence", "tokyo"]\narbiter_limit_ms = 5000',
};

test("every policy is accepted with what it needs, and named when misspelt", () => {
  const unleased = without(lease, ...leaseTimes, "[fencing]");
  for (const policy of policies) {
    const text = policy === "lease" ? lease : policy === "witness" ? witness : unleased;
    const given = text
      .replace(/^policy = .*$/m, `policy = "${policy}"`)
      .replace("[takeover]", `[takeover]\n${arbiters[policy] ?? ""}`);
    const { config } = good(given);
    assert.is(config.policy, policy);
    if (policy === "booth") assert.is(config.takeover.boothClient.length, 3);
    if (policy === "command") assert.is(config.takeover.arbiterLimitMs, 5000);
  }
  assert.match(
    faultsOf(operator.replace('cluster = "bank"', 'cluster = "bank"\npolicy = "leese"'))[0] ?? "",
    /did you mean "lease"\?$/,
  );
});

test("a lock too short for its site is refused under every automatic policy, and there alone", () => {
  const short = without(lease, ...leaseTimes, "[fencing]")
    .replace("[timing]", "[timing]\nlock_ms = 100")
    .replace("[takeover]", `[takeover]\n${arbiters["booth"]}`);
  const under = (policy: string) => short.replace('policy = "lease"', `policy = "${policy}"`);
  assert.match(faultsOf(under("booth"))[0] ?? "", /timing\.lock_ms: must be lock > /);
  assert.equal(faultsOf(under("operator")), []);
  const single = under("booth").replace('name = "ctl-b2"', 'name = "ctl-b2"\nbeacon = true');
  assert.equal(faultsOf(single), []);
});

test("a heartbeat volume that is a data group's by another name is refused", () => {
  const files: ConfigFiles = {
    read: () => ({ ok: true, bytes: new TextEncoder().encode(lease) }),
    list: () => [],
    resolve: (file) => (file.includes("3a") || file.includes("orders") ? "/dev/dm-7" : file),
  };
  const loaded = loadConfig({ file: "/m.toml", host: "ctl-b1", hostname: "other", files });
  assert.equal(loaded.ok ? [] : loaded.faults.map(faultLine), [
    '/m.toml:63: mirrors.b-a.pvol: "/dev/disk/by-id/wwn-0x600508b4000a1b3a" is /dev/dm-7, which is data.orders.svol (line 72); a heartbeat volume is never a data volume; name another',
  ]);
});

test("a key in a wrong table is told where it belongs", () => {
  const misplaced = operator.replace(
    "[timing]",
    '[timing]\ntakeover = ["/bin/x"]\nwatchdog = "/dev/w"',
  );
  assert.equal(faultsOf(misplaced), [
    "/m.toml:6: timing.takeover: unknown key; it belongs in [hooks]",
    "/m.toml:7: timing.watchdog: unknown key; it belongs in [fencing]",
  ]);
});

test("a heartbeat volume is never reserved", () => {
  const text = lease.replace(
    "[takeover]",
    '[takeover]\nreservation_devices = ["/dev/disk/by-id/wwn-0x600508b4000a1b3b"]',
  );
  assert.equal(faultsOf(text), [
    '/m.toml:65: mirrors.b-a.svol: "/dev/disk/by-id/wwn-0x600508b4000a1b3b" is in takeover.reservation_devices (line 19); a heartbeat volume is never reserved; name another',
  ]);
});

test("a configuration takes as many data groups as a record has room for", () => {
  assert.is(dataGroupsMost, dataGroupsMax);
});

test.run();
