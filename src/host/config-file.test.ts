import { mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exitCodes } from "../core/base/exit-codes.ts";
import { completeTiming, timingDefaults, timingFaults } from "../core/base/timing.ts";
import { expectedFaults } from "./config-faults.test-data.ts";
import { type ConfigFiles, diskFiles, faultLine, loadConfig } from "./config-file.ts";
import { knownKeys, nearest, type TableHeader } from "./config-keys.ts";

const fixtures = "fixtures/config";
const good = readFileSync(`${fixtures}/good.toml`, "utf8");

/** Files in memory; a missing one is missing as on disk. */
function memoryFiles(files: Readonly<Record<string, string | Uint8Array>>): ConfigFiles {
  return {
    read: (file) => {
      const text = files[file];
      if (text === undefined) return { ok: false, code: exitCodes.noInput, reason: "no such file" };
      return { ok: true, bytes: typeof text === "string" ? new TextEncoder().encode(text) : text };
    },
    list: (folder) =>
      Object.keys(files)
        .filter((file) => path.dirname(file) === folder)
        .map((file) => path.basename(file)),
    resolve: (file) => file,
  };
}

function load(text: string | Uint8Array, host: string | null = null, hostname = "other") {
  return loadConfig({ file: "/m.toml", host, hostname, files: memoryFiles({ "/m.toml": text }) });
}

function faultsOf(text: string | Uint8Array, host: string | null = null): readonly string[] {
  const loaded = load(text, host);
  return loaded.ok ? [] : loaded.faults.map(faultLine);
}

test("a good file gives the effective configuration", () => {
  const loaded = loadConfig({ file: `${fixtures}/good.toml`, host: null });
  assert.ok(loaded.ok);
  if (!loaded.ok) return;
  const { config, origins } = loaded;
  assert.equal(config.self, { site: "tokyo", host: "ctl-a1" });
  assert.equal(config.timing, timingDefaults);
  assert.equal(config.dataDevices, ["/dev/sdb"]);
  assert.equal(config.sites[0]?.hosts[1], {
    site: "tokyo",
    name: "beacon-a",
    slot: 1,
    address: { host: "10.0.8.19", port: 7789 },
    beacon: true,
    enabled: true,
  });
  assert.equal(config.mirrors[1]?.pair, { provider: "none" });
  assert.is(config.policy, "operator");
  assert.is(config.sites[1]?.quorum, 1);
  assert.equal(config.hooks, {
    takeover: ["/usr/local/sbin/start-service", "bank"],
    superseded: null,
    verdict: null,
    limitMs: 30000,
  });
  assert.equal(origins.get("cluster"), { kind: "file", file: `${fixtures}/good.toml`, line: 1 });
  assert.equal(origins.get("sites.osaka.id"), {
    kind: "file",
    file: `${fixtures}/good.toml`,
    line: 30,
  });
  assert.equal(origins.get("key_file"), { kind: "default" });
});

test("each bad file is refused with its line, field, value and remedy", () => {
  const names = readdirSync(`${fixtures}/bad`).map((name) => name.replace(".toml", ""));
  assert.equal(names.sort(), Object.keys(expectedFaults).sort());
  for (const name of names) {
    const loaded = loadConfig({ file: `${fixtures}/bad/${name}.toml`, host: null });
    const found = loaded.ok
      ? []
      : loaded.faults.map(({ line, field, message }) =>
          [line ?? "-", ...(field === "" ? [] : [field]), message].join(": "),
        );
    assert.equal(found, expectedFaults[name], name);
    if (!loaded.ok) assert.is(loaded.code, exitCodes.config);
    for (const line of found) assert.match(line, /^[\x20-\x7e]+$/);
  }
});

test("conf.d is laid over the main file in the order of names", () => {
  const file = `${fixtures}/merge/mirrorbeat.toml`;
  const loaded = loadConfig({ file, host: null });
  assert.ok(loaded.ok);
  if (!loaded.ok) return;
  assert.is(loaded.config.policy, "notify");
  assert.is(loaded.config.timing.marginMs, 3000);
  assert.is(loaded.config.timing.intervalMs, 1000);
  assert.equal(
    loaded.config.mirrors.map((mirror) => mirror.name),
    ["a-b", "b-a"],
  );
  assert.is(loaded.files.length, 3);
  const origin = loaded.origins.get("timing.margin_ms");
  assert.equal(origin, { kind: "file", file: `${fixtures}/merge/conf.d/20-site.toml`, line: 4 });
});

test("a value set in two files names both places", () => {
  const file = `${fixtures}/merge-twice/mirrorbeat.toml`;
  const loaded = loadConfig({ file, host: null });
  const local = `${fixtures}/merge-twice/conf.d/local.toml`;
  assert.equal(loaded.ok ? [] : loaded.faults.map(faultLine), [
    `${local}:1: cluster: set twice: the text "bank" here, the text "bank" at ${file}:1; keep one of the two`,
    `${local}:4: timing.interval_ms: set twice: the number 500 here, the number 1000 at ${file}:6; keep one of the two`,
  ]);
});

test("faults of every file are told together", () => {
  const files = memoryFiles({
    "/m.toml": "a = = 1\n",
    "/conf.d/b.toml": "\n[x\n",
    "/conf.d/.hidden.toml": "not read",
  });
  const loaded = loadConfig({ file: "/m.toml", host: null, files });
  const places = loaded.ok ? [] : loaded.faults.map(({ file, line }) => `${file}:${line}`);
  assert.equal(places, ["/m.toml:1", "/conf.d/b.toml:2"]);
});

test("a clash across files names the other file", () => {
  const files = memoryFiles({
    "/m.toml": good,
    "/conf.d/x.toml":
      '[[mirrors]]\nname = "a-b"\nwriter = "tokyo"\nreader = "osaka"\npvol = "/dev/p"\nsvol = "/dev/s"\n',
  });
  const loaded = loadConfig({ file: "/m.toml", host: null, files });
  assert.equal(loaded.ok ? [] : loaded.faults.map(faultLine), [
    '/conf.d/x.toml:2: mirrors.#3.name: "a-b" is taken by mirrors.a-b.name (/m.toml:39); name each mirror differently',
  ]);
});

test("a file that is missing, forbidden or too large has its own code", () => {
  const missing = loadConfig({ file: "/nowhere/m.toml", host: null });
  assert.is(missing.ok ? 0 : missing.code, exitCodes.noInput);
  const folder = mkdtempSync(path.join(os.tmpdir(), "mb-config-"));
  writeFileSync(path.join(folder, "big.toml"), "#".repeat(300_000));
  const big = loadConfig({ file: path.join(folder, "big.toml"), host: null });
  assert.is(big.ok ? 0 : big.code, exitCodes.config);
  const isFolder = loadConfig({ file: folder, host: null });
  assert.is(isFolder.ok ? 0 : isFolder.code, exitCodes.ioError);
});

test("the own host comes from the command line, the file, or the machine's name", () => {
  const anonymous = good.replace('host = "ctl-a1"\n', "");
  const self = (text: string, host: string | null, hostname: string) => {
    const loaded = load(text, host, hostname);
    return loaded.ok ? [loaded.config.self.host, loaded.origins.get("host")?.kind] : null;
  };
  assert.equal(self(good, "ctl-b1", "x"), ["ctl-b1", "command line"]);
  assert.equal(self(good, null, "ctl-b1"), ["ctl-a1", "file"]);
  assert.equal(self(anonymous, null, "CTL-B1.example.com"), ["ctl-b1", "hostname"]);
  assert.equal(faultsOf(anonymous), [
    '/m.toml: host: this machine\'s name "other" is no host; give --host NAME or write host = "NAME"; hosts: ctl-a1, beacon-a, ctl-b1',
  ]);
  assert.equal(faultsOf(good, "ctl-z"), [
    '/m.toml:11: sites: --host: no host is named "ctl-z"; hosts: ctl-a1, beacon-a, ctl-b1',
  ]);
  assert.ok(
    loadConfig({
      file: "/m.toml",
      host: null,
      hostname: "x",
      anyHost: true,
      files: memoryFiles({ "/m.toml": anonymous }),
    }).ok,
  );
});

test("a heartbeat volume that is a data device by another name is refused", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mb-config-"));
  const target = path.join(folder, "sdb");
  const link = path.join(folder, "wwn-1");
  writeFileSync(target, "");
  symlinkSync(target, link);
  const text = good
    .replace("/dev/sdb", target)
    .replace("/dev/disk/by-id/wwn-0x600508b4000a1b2a", link);
  const files = { ...memoryFiles({ "/m.toml": text }), resolve: diskFiles.resolve };
  const loaded = loadConfig({ file: "/m.toml", host: null, files });
  const fault = loaded.ok
    ? ""
    : faultLine(loaded.faults[0] ?? { file: "", line: 0, field: "", message: "" });
  assert.match(fault, /^\/m\.toml:42: mirrors\.a-b\.pvol: .* which is in data_devices \(line 3\);/);
});

test("the same path at both ends is accepted where pins tell the volumes apart", () => {
  const same = good.replaceAll(/wwn-0x600508b4000a1b2[ab]/g, "wwn-hb");
  assert.is(faultsOf(same).length, 1);
  const pinned = same.replace(
    'name = "a-b"\n',
    'name = "a-b"\npvol_wwid = "naa.1"\nsvol_wwid = "naa.2"\n',
  );
  assert.equal(faultsOf(pinned), []);
  assert.is(faultsOf(pinned.replace("naa.2", "naa.1")).length, 2);
});

test("bytes that are not UTF-8 are refused with their line", () => {
  const bytes = Buffer.concat([Buffer.from("a = 1\nb = "), Buffer.from([0xff, 0x0a])]);
  assert.equal(faultsOf(bytes), [
    "/m.toml:2: not UTF-8 text; is it the right file? Save it as UTF-8",
  ]);
});

const headers = Object.keys(knownKeys) as TableHeader[];
const anyKnown = new Set<string>(headers.flatMap((header) => [...knownKeys[header]]));

/** Each line of the good file that sets a key or begins a table: its words, and where they are known. */
const keyLines = (() => {
  let header: TableHeader = "";
  return good.split("\n").flatMap((line, index) => {
    if (line.startsWith("[")) header = line as TableHeader;
    const key = /^([a-z_]+) =/.exec(line)?.[1];
    return key === undefined ? [] : [{ key, index, header }];
  });
})();

const edit = (key: string, kind: number, at: number, letter: string): string => {
  const letters = [...key];
  const position = at % letters.length;
  if (kind === 0) letters.splice(position, 1);
  else if (kind === 1) letters.splice(position, 0, letter);
  else if (kind === 2) letters[position] = letter;
  else letters.splice(position, 2, ...letters.slice(position, position + 2).reverse());
  return letters.join("");
};

test("any single misspelt key is named with its line and the nearest known key", () => {
  const misspelt = fc.record({
    where: fc.constantFrom(...keyLines),
    kind: fc.integer({ min: 0, max: 3 }),
    at: fc.nat(20),
    letter: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz_"),
  });
  fc.assert(
    fc.property(misspelt, ({ where, kind, at, letter }) => {
      const wrong = edit(where.key, kind, at, letter);
      fc.pre(wrong !== "" && !anyKnown.has(wrong));
      const lines = good.split("\n");
      lines[where.index] = (lines[where.index] ?? "").replace(where.key, wrong);
      const faults = faultsOf(lines.join("\n"));
      const meant = nearest(wrong, knownKeys[where.header]);
      assert.ok(meant.includes(where.key), `${wrong}: ${meant.join(" ")}`);
      const start = `/m.toml:${where.index + 1}: `;
      const end = `${wrong}: unknown key; did you mean ${meant.join(" or ")}?`;
      assert.ok(
        faults.some((fault) => fault.startsWith(start) && fault.endsWith(end)),
        faults.join("\n"),
      );
      assert.not.ok(faults.some((fault) => fault.includes(`${where.key}: missing`)));
    }),
    { numRuns: 500 },
  );
});

test("whatever the bytes, faults are values", () => {
  const spliced = fc
    .tuple(fc.nat(good.length), fc.nat(40), fc.string())
    .map(([at, length, text]) => good.slice(0, at) + text + good.slice(at + length));
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string(), spliced);
  fc.assert(
    fc.property(bytes, (content) => {
      const loaded = load(content);
      assert.ok(loaded.ok || loaded.faults.length > 0);
      for (const line of loaded.ok ? [] : loaded.faults.map(faultLine)) {
        assert.match(line, /^[\x20-\x7e]+$/);
      }
    }),
    { numRuns: 3000 },
  );
  for (const piece of ["[a.b]\n", "a.", "a = [", "[[a]]\n", "a = {b = "]) {
    assert.not.ok(load(piece.repeat(20_000)).ok);
  }
  assert.not.ok(load("__proto__ = 1\nconstructor.x = 2\n[toString]\n").ok);
});

test("interval alone gives timings without a fault, and the default one gives the defaults", () => {
  assert.equal(completeTiming({}), timingDefaults);
  const interval = fc.integer({ min: 20, max: 60_000 });
  fc.assert(
    fc.property(interval, (intervalMs) => {
      assert.equal(timingFaults(completeTiming({ intervalMs })), []);
    }),
  );
});

test("one more timing given leaves the derived ones room", () => {
  const given = fc.integer({ min: 20, max: 60_000 }).chain((intervalMs) =>
    fc.oneof(
      fc.integer({ min: 10, max: intervalMs }).map((pollMs) => ({ intervalMs, pollMs })),
      fc.integer({ min: 20, max: 120_000 }).map((marginMs) => ({ intervalMs, marginMs })),
      fc.integer({ min: 1, max: intervalMs }).map((readLimitMs) => ({ intervalMs, readLimitMs })),
      fc
        .integer({ min: 40, max: 600_000 })
        .map((pairAgeLimitMs) => ({ intervalMs, pairAgeLimitMs })),
      fc.integer({ min: 20, max: 600_000 }).map((pairPollMs) => ({ intervalMs, pairPollMs })),
    ),
  );
  fc.assert(
    fc.property(given, (timing) => {
      assert.equal(timingFaults(completeTiming(timing)), []);
    }),
  );
});

test.run();
