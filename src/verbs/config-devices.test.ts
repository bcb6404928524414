/** What `config check` says of the names of heartbeat volumes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Config } from "../core/base/config.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { loadConfig } from "../host/config-file.ts";
import { runVerb } from "../testing/verb-run.ts";
import { configVerb } from "./config.ts";
import { deviceNameNotes } from "./config-devices.ts";

const good = "fixtures/config/good.toml";

function configWith(pvol: string, svol: string): Config {
  const loaded = loadConfig({ file: good, host: null });
  if (!loaded.ok) throw new Error("it is good");
  const { config } = loaded;
  return { ...config, mirrors: config.mirrors.slice(0, 1).map((m) => ({ ...m, pvol, svol })) };
}

function withRoots(body: (root: string, notes: (pvol: string) => readonly string[]) => void) {
  return () => {
    const root = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-names-"));
    const dev = path.join(root, "dev");
    const sysfs = path.join(root, "sys");
    const numbers: Record<string, string> = { sda: "8:0", sdb: "8:16" };
    try {
      mkdirSync(path.join(dev, "disk/by-id"), { recursive: true });
      for (const name of Object.keys(numbers)) writeFileSync(path.join(dev, name), "");
      symlinkSync("../../sda", path.join(dev, "disk/by-id/wwn-0x1"));
      const map = path.join(sysfs, "block/dm-0");
      mkdirSync(path.join(map, "dm"), { recursive: true });
      writeFileSync(path.join(map, "dm/uuid"), "mpath-36\n");
      writeFileSync(path.join(map, "dm/name"), "hb-tokyo\n");
      writeFileSync(path.join(map, "dev"), "253:0\n");
      mkdirSync(path.join(sysfs, "block/sdb/holders"), { recursive: true });
      symlinkSync(map, path.join(sysfs, "block/sdb/holders/dm-0"));
      mkdirSync(path.join(sysfs, "dev/block"), { recursive: true });
      symlinkSync(path.join(sysfs, "block/sdb"), path.join(sysfs, "dev/block/8:16"));
      const numberOf = (name: string) => numbers[path.basename(name)] ?? null;
      const notes = (pvol: string) =>
        deviceNameNotes(configWith(pvol, "/dev/disk/by-id/x"), { dev, sysfs, numberOf });
      body(dev, notes);
    } finally {
      rmSync(root, { recursive: true });
    }
  };
}

test(
  "a kernel name is noted, with the name that lasts",
  withRoots((dev, notes) => {
    const found = notes(`${dev}/sda`);
    const better = `name ${dev}/disk/by-id/wwn-0x1`;
    assert.equal(found.map((note) => note.replace(/^\S+ /, "")), [
      `pvol ${dev}/sda may be another disk after a reboot; ${better}`,
    ]); // biome-ignore format: one list
    assert.match(notes(`${dev}/sdz`)[0] ?? "", `look in ${dev}/disk/by-id`);
  }),
);

test(
  "one path of a multipath map is noted, with the map's name",
  withRoots((dev, notes) => {
    const note = notes(`${dev}/sdb`)[0] ?? "";
    assert.match(note, `is one path of multipath map hb-tokyo; name ${dev}/mapper/hb-tokyo`);
  }),
);

test(
  "names that last, and loop devices, are not spoken of",
  withRoots((dev, notes) => {
    for (const name of ["disk/by-id/wwn-0x1", "mapper/hb-tokyo", "loop0"]) {
      assert.equal(notes(`${dev}/${name}`), [], name);
    }
  }),
);

test("check warns and does not refuse; of another site's volume by its name alone", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-names-"));
  try {
    const file = path.join(folder, "m.toml");
    const text = readFileSync(good, "utf8");
    writeFileSync(file, text.replace(/^svol = ".*"/m, 'svol = "/dev/sdzz"'));
    const { code, out } = await runVerb(configVerb, ["check", "--config", file], {});
    assert.is(code, exitCodes.ok);
    assert.match(out, /^note: \S+: svol \/dev\/sdzz may be another disk after a reboot; .*osaka$/m);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
