import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { stringify } from "smol-toml";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import {
  type Config,
  type DataGroupConfig,
  type FencingConfig,
  type HostConfig,
  isLeased,
  type MirrorConfig,
  policies,
  type SiteConfig,
  type TakeoverConfig,
} from "../core/base/config.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { completeTiming } from "../core/base/timing.ts";
import { type ConfigFiles, faultLine, loadConfig } from "../host/config-file.ts";
import { timingKeys } from "../host/config-keys.ts";
import { isAutomatic } from "../host/config-policy.ts";
import { configVerb, originText } from "./config.ts";
import { effectiveToml } from "./config-show.ts";

const good = "fixtures/config/good.toml";

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  runVerb(configVerb, args, env);

const copyEnd = (control: string) => ({
  query_limit_ms: 2000,
  change_limit_ms: 60_000,
  control,
});

test("check says ok first and the next command last", async () => {
  const { code, out, err } = await run(["check", "--config", good]);
  assert.is(code, exitCodes.ok);
  assert.is(err, "");
  assert.equal(out.split("\n"), [
    `ok: ${good}`,
    "    host ctl-a1, site tokyo (production), cluster bank",
    "    2 sites, 3 hosts, 2 mirrors, network on, policy operator",
    "next: mirrorbeat timing",
    "",
  ]);
});

test("check notes what is allowed but seldom meant", async () => {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), "mb-verb-")), "m.toml");
  const text = readFileSync(good, "utf8");
  writeFileSync(
    file,
    text.slice(0, text.lastIndexOf("[[mirrors]]")).replace('address = "10.0.9.11:7789"\n', ""),
  );
  const { code, out } = await run(["check", "--config", file]);
  assert.is(code, exitCodes.ok);
  const notes = out.split("\n").filter((line) => line.startsWith("note: "));
  assert.equal(notes, [
    "note: no enabled mirror carries heartbeats of osaka",
    "note: no address, so no network path to: ctl-b1",
  ]);
});

test("check prints each fault in one line, and its exit code tells which kind", async () => {
  const bad = "fixtures/config/bad/several-faults.toml";
  const { code, out } = await run(["check"], { MIRRORBEAT_CONFIG: bad });
  assert.is(code, exitCodes.config);
  const lines = out.trimEnd().split("\n");
  assert.is(lines[0], "refused: 4 faults");
  assert.is(lines[1], `${bad}:13: sites.tokyo.id: 999 is out of range; write 1 to 255`);
  assert.is(lines.length, 6);
  assert.match(lines.at(-1) ?? "", /^next: /);
  assert.is((await run(["check", "--config", "/nowhere.toml"])).code, exitCodes.noInput);
});

test("--json gives one object", async () => {
  const object = async (args: readonly string[]) =>
    JSON.parse((await run([...args, "--json"])).out);
  const checked = await object(["check", "--config", good]);
  assert.is(checked.schema, 1);
  assert.equal(checked.self, { site: "tokyo", host: "ctl-a1" });
  const refused = await object(["check", "--config", "fixtures/config/bad/id-zero.toml"]);
  assert.is(refused.ok, false);
  assert.is(refused.faults[0].line, 30);
  const shown = await object(["show", "--config", good]);
  assert.is(shown.config.timing.pollMs, 500);
  assert.is(shown.origins["timing.interval_ms"], `${good}:6`);
  assert.is(shown.origins["timing.poll_ms"], "default");
});

test("show fits a console and names each origin", async () => {
  const { code, out } = await run(["show", "--config", good, "--host", "ctl-b1"]);
  assert.is(code, exitCodes.ok);
  assert.ok(isConsoleText(out), out);
  assert.match(out, /^host = "ctl-b1" +# command line$/m);
  assert.match(out, /^cluster = "bank" +# good\.toml:1$/m);
  assert.match(out, /^policy = "operator" +# default$/m);
});

test("check tells the times of a lease and the watchdog; show tells where each came from", async () => {
  const file = "fixtures/config/good-lease.toml";
  const { code, out } = await run(["check", "--config", file]);
  assert.is(code, exitCodes.ok);
  assert.equal(out.split("\n").slice(1, 7), [
    "    host ctl-b1, site osaka (standby), cluster bank",
    "    2 sites, 3 hosts, 1 data group, 2 mirrors, network on, policy lease",
    "    lease 20000 ms, stop 4000, watchdog 10000, takeover wait 43000",
    "    fencing: /dev/watchdog0, 5000 ms",
    "note: hooks.limit_ms 30000: a stop that takes over 9000 ms ends in a reset",
    "next: mirrorbeat timing",
  ]);
  const shown = (await run(["show", "--config", file])).out;
  assert.ok(isConsoleText(shown), shown);
  assert.match(shown, /^lock_ms = 8110 +# derived from other timings$/m);
  assert.match(shown, /^takeover_wait_ms = 43000 +# good-lease\.toml:12$/m);
  assert.match(shown, /^watchdog_limit_ms = 5000 +# derived from watchdog_ms$/m);
  assert.match(shown, /^rpo_max_ms = 30000 +# good-lease\.toml:19$/m);
  assert.match(shown, /^arbiter_limit_ms = 30000 +# default$/m);
  assert.match(shown, /^\[\[data\]\]\nname = "orders" +# good-lease\.toml:67$/m);
});

test("check notes what an automatic policy lacks, and a watchdog that is not armed", async () => {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), "mb-verb-")), "m.toml");
  const notesOf = async (text: string) => {
    writeFileSync(file, text);
    const { out } = await run(["check", "--config", file]);
    return out.split("\n").filter((line) => line.startsWith("note: "));
  };
  const text = readFileSync(good, "utf8");
  assert.equal(
    await notesOf(`policy = "operator"\n${text}\n[fencing]\nwatchdog = "/dev/watchdog"`),
    ['note: fencing.watchdog is not armed under policy "operator"'],
  );
  const booth = `policy = "booth"\n${text.replace(/^takeover = .*$/m, "")}`;
  assert.equal(await notesOf(`${booth}\n[takeover]\nbooth_ticket = "bank"`), [
    "note: no [[data]]: a takeover looks at no data, and its hook alone makes volumes writable",
    "note: no hooks.takeover: an automatic takeover starts no service",
  ]);
});

test("a witness is no site without heartbeats", async () => {
  const { code, out } = await run(["check", "--config", "fixtures/config/good-witness.toml"]);
  assert.is(code, exitCodes.ok);
  assert.match(out, /^ {4}host wit-c1, site nagoya \(witness\), cluster bank$/m);
  assert.not.match(out, /carries heartbeats/);
});

test("a wrong command line is one line and 64; help is on stdout", async () => {
  for (const args of [
    [],
    ["verify"],
    ["check", "more"],
    ["check", "--colour"],
    ["check", "--host"],
  ]) {
    const { code, out, err } = await run(args);
    assert.is(code, exitCodes.usage);
    assert.is(out, "");
    assert.match(err, /^mirrorbeat config: [^\n]+; see: mirrorbeat config --help\n$/);
  }
  const { code, out } = await run(["--help"]);
  assert.is(code, exitCodes.ok);
  assert.ok(isConsoleText(out));
});

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const device = fc
  .string({ minLength: 1, maxLength: 30 })
  .map((text) => `/dev/${text.replaceAll(/[\0-\x1f\x7f]|\.\./g, "_")}`);
const uniquePaths = (count: number) =>
  fc.uniqueArray(device, { minLength: count, maxLength: count });
const words = fc.array(
  fc.string().filter((word) => !word.includes("\0")),
  { maxLength: 3 },
);
const command = fc.option(words.map((more) => ["/bin/hook", ...more]));

/** What the policy needs, and what else it may have. */
const anyTakeover = fc.record({
  rpoMaxMs: fc.integer({ min: 0, max: 86_400_000 }),
  reservationDevices: fc.constantFrom(["/dev/sdr"], ["/dev/sdr", "/dev/sds"]),
  boothTicket: fc.constantFrom("service", "t-1_x.y"),
  boothClient: fc.constantFrom(["booth"], ["/usr/sbin/booth", "-c", 'a "b"']),
  fenceCommand: words.map((more) => ["/bin/fence", ...more]),
  arbiterLimitMs: fc.integer({ min: 100, max: 3_600_000 }),
});

/** The witness, where there is one, is of no use to read the file as: it has no hooks. */
function witnessSite(prefix: string, isV6: boolean): SiteConfig {
  const site = `w-${prefix}`.slice(0, 15);
  const address = { host: isV6 ? "fd00::9" : "10.9.9.9", port: 7789 };
  const name = `wh-${prefix}`.slice(0, 15);
  const host = { site, name, slot: 0, address, beacon: true, enabled: true };
  return { name: site, id: 100, role: "witness", quorum: 1, hosts: [host] };
}

function groupsBetween(names: readonly string[], count: number): DataGroupConfig[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `data-${index}`,
    id: 7 * index + 1,
    writer: names[index % 2] ?? "",
    reader: names[(index + 1) % 2] ?? "",
    pvol: `/dev/mapper/data-${index}`,
    svol: `/dev/mapper/data-${index}`,
    pair: { provider: "embedded", writer: copyEnd("/run/w.sock"), reader: copyEnd("/run/r.sock") },
  }));
}

/** Any configuration that is valid: names by number are unique, the rest is free. */
const anyConfig: fc.Arbitrary<Config> = fc
  .record({
    policy: fc.constantFrom(...policies),
    takeover: anyTakeover,
    groupCount: fc.integer({ min: 0, max: 6 }),
    watchdog: fc.constantFrom("/dev/watchdog", "/run/mb/watch"),
    siteCount: fc.integer({ min: 2, max: 4 }),
    hostCounts: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 }),
    prefix: name,
    flags: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
    mirrorCount: fc.integer({ min: 1, max: 4 }),
    paths: uniquePaths(10),
    interval: fc.integer({ min: 20, max: 60_000 }),
    isV6: fc.boolean(),
    hooks: fc.tuple(command, command, command),
    generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  })
  .map((seed) => {
    const { policy } = seed;
    const isTwo = isAutomatic(policy);
    const siteCount = isTwo ? 2 : seed.siteCount;
    const flag = (index: number) => seed.flags[index % seed.flags.length] ?? false;
    const short = (text: string, index: number) =>
      `${text.slice(0, 1)}${index}-${seed.prefix}`.slice(0, 15);
    const hostsOf = (site: number): HostConfig[] =>
      Array.from({ length: seed.hostCounts[site] ?? 1 }, (_, slot) => ({
        site: short("site", site),
        name: short("host", site * 10 + slot + 10),
        slot: slot * 3,
        address: flag(site * 3 + slot)
          ? { host: seed.isV6 ? `fd00::${site + 1}` : `10.0.${site}.1`, port: 7789 + slot }
          : null,
        beacon: slot > 0 && flag(20 + slot),
        enabled: slot === 0 || flag(30 + slot),
      }));
    const sites = Array.from(
      { length: siteCount },
      (_, site): SiteConfig => ({
        name: short("site", site),
        id: 255 - site,
        role: site === 1 ? "production" : "standby",
        quorum: 1,
        hosts: hostsOf(site),
      }),
    );
    const mirrors = Array.from(
      { length: isTwo ? Math.max(2, seed.mirrorCount) : seed.mirrorCount },
      (_, index): MirrorConfig => ({
        name: short("mirror", index),
        writer: sites[index % 2]?.name ?? "",
        reader: sites[(index + 1) % 2]?.name ?? "",
        pvol: seed.paths[2 * index] ?? "",
        svol: seed.paths[2 * index + 1] ?? "",
        pvolWwid: flag(index) ? `naa.${index}` : null,
        svolWwid: null,
        enabled: (isTwo && index < 2) || flag(index + 4),
        installed: flag(index + 5),
        answerSignals: flag(index + 6),
        witness: false,
        pair: flag(index + 8)
          ? { provider: "embedded", writer: copyEnd("/run/w.sock"), reader: copyEnd("/run/r.sock") }
          : { provider: "none" },
      }),
    );
    const [takeover, superseded, verdict] = seed.hooks;
    const needed = isLeased(policy) ? ["/bin/needed"] : null;
    const names = sites.map((site) => site.name);
    const groups = groupsBetween(names, seed.groupCount);
    const dataDevices = [...seed.paths.slice(8), ...groups.map(({ pvol }) => pvol)];
    const right: TakeoverConfig = { ...seed.takeover, local: false };
    const timing = completeTiming(
      { intervalMs: seed.interval, detector: flag(5) ? "fixed" : "adaptive" },
      isLeased(policy),
    );
    const limitMs = seed.watchdog.startsWith("/dev/") ? 5000 : 10_000;
    const fencing: FencingConfig = isLeased(policy)
      ? { watchdog: seed.watchdog, watchdogLimitMs: limitMs, systemd: flag(9) }
      : { watchdog: null, watchdogLimitMs: 0, systemd: flag(9) };
    return {
      cluster: seed.prefix,
      self: { site: sites[0]?.name ?? "", host: sites[0]?.hosts[0]?.name ?? "" },
      keyFile: "/etc/key",
      runFolder: "/run/mb",
      stateFolder: "/var/lib/mb",
      policy,
      networkEnabled: policy === "witness" || flag(3),
      timing,
      sites: policy === "witness" ? [...sites, witnessSite(seed.prefix, seed.isV6)] : sites,
      mirrors,
      dataDevices,
      dataGroups: groups,
      takeover: right,
      fencing,
      hooks: {
        takeover: takeover ?? needed,
        superseded: superseded ?? needed,
        verdict,
        limitMs: 1000,
      },
      journalBytesMax: 1 << 20,
      generation: seed.generation,
    };
  });

/** The same as a TOML document by the library's own writer, which knows nothing of ours. */
function plainToml(config: Config): string {
  const { takeover, superseded, verdict, limitMs } = config.hooks;
  const defined = (values: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
  return stringify({
    cluster: config.cluster,
    host: config.self.host,
    key_file: config.keyFile,
    run_folder: config.runFolder,
    state_folder: config.stateFolder,
    policy: config.policy,
    network: config.networkEnabled,
    generation: config.generation,
    data_devices: [...config.dataDevices],
    journal_bytes_max: config.journalBytesMax,
    timing: Object.fromEntries(
      Object.entries(timingKeys).map(([key, field]) => [key, config.timing[field]]),
    ),
    hooks: defined({ takeover, superseded, verdict, limit_ms: limitMs }),
    takeover: {
      rpo_max_ms: config.takeover.rpoMaxMs,
      local: config.takeover.local,
      reservation_devices: [...config.takeover.reservationDevices],
      booth_ticket: config.takeover.boothTicket,
      booth_client: [...config.takeover.boothClient],
      fence_command: config.takeover.fenceCommand,
      arbiter_limit_ms: config.takeover.arbiterLimitMs,
    },
    fencing: defined({
      watchdog: config.fencing.watchdog,
      watchdog_limit_ms: config.fencing.watchdogLimitMs,
      systemd: config.fencing.systemd,
    }),
    data: config.dataGroups,
    sites: config.sites.map(({ hosts, ...site }) => ({
      ...site,
      hosts: hosts.map(({ site: _, address, ...host }) =>
        defined({
          ...host,
          address:
            address &&
            (address.host.includes(":")
              ? `[${address.host}]:${address.port}`
              : `${address.host}:${address.port}`),
        }),
      ),
    })),
    mirrors: config.mirrors.map(({ pvolWwid, svolWwid, answerSignals, ...mirror }) =>
      defined({
        ...mirror,
        pvol_wwid: pvolWwid,
        svol_wwid: svolWwid,
        answer_signals: answerSignals,
      }),
    ),
  });
}

function reload(text: string): Config {
  const files: ConfigFiles = {
    read: () => ({ ok: true, bytes: new TextEncoder().encode(text) }),
    list: () => [],
    resolve: (file) => file,
  };
  const loaded = loadConfig({ file: "/m.toml", host: null, hostname: "other", files });
  if (!loaded.ok) throw new Error(`${loaded.faults.map(faultLine).join("\n")}\n${text}`);
  const shown = effectiveToml(loaded, (origin) => originText(origin));
  assert.match(shown, /^[\x20-\x7e\n]*$/);
  return loaded.config;
}

test("any valid configuration is read as it was written, and what show prints is the same one", () => {
  fc.assert(
    fc.property(anyConfig, (config) => {
      assert.equal(reload(plainToml(config)), config);
      const shown = effectiveToml({ config, origins: new Map(), files: ["/m.toml"] }, originText);
      assert.equal(reload(shown), config);
    }),
    { numRuns: 200 },
  );
});

test.run();
