/** Two sites and a volume in memory: who has the right, whatever goes wrong in between. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ScsiAnswer, SendScsi } from "../device/scsi-command.ts";
import type { Arbiter, ReservationType } from "./arbiter.ts";
import { openReservation } from "./reservation.ts";
import { agreed, unfitDisk } from "./reservation-disk.ts";
import { keyText, ownerOf, reservationKey } from "./reservation-key.ts";
import { SimulatedVolume } from "./testing/simulated-volume.ts";

const limitMs = 2000;
const request = { site: "tokyo", peer: "osaka", term: 257n, limitMs };
const keys = { A: reservationKey("demo", 1, 0), B: reservationKey("demo", 2, 0) };
const fit = async () => null;

function host(
  volumes: SimulatedVolume | Readonly<Record<string, SimulatedVolume>>,
  name: string,
  key: bigint,
  type?: ReservationType,
): Arbiter {
  const byPath = volumes instanceof SimulatedVolume ? { "/dev/sda": volumes } : volumes;
  const send: SendScsi = async (command, left) =>
    byPath[command.path]?.from(name)(command, left) ?? { kind: "failed", code: "ENOENT" };
  const settings = { kind: "reservation", devices: Object.keys(byPath), key, limitMs } as const;
  return openReservation(type ? { ...settings, type } : settings, send, fit);
}

const kind = async (answer: Promise<{ kind: string; detail: string }>) => (await answer).kind;

test("the site that asks has it, the other one does not, and cannot write", async () => {
  const volume = new SimulatedVolume();
  const a = host(volume, "A", keys.A);
  const b = host(volume, "B", keys.B);
  assert.is(await kind(a.holds(request)), "denied");
  assert.is(await kind(a.ask(request)), "granted");
  assert.is(await kind(a.ask(request)), "granted", "safe to repeat");
  assert.is(await kind(a.holds(request)), "granted");
  assert.equal([volume.write("A"), volume.write("B")], ["done", "conflict"]);
  assert.is(await kind(b.holds(request)), "denied");

  assert.is(await kind(b.ask(request)), "granted");
  assert.equal([volume.write("A"), volume.write("B")], ["conflict", "done"]);
  const lost = await a.holds(request);
  assert.is(lost.kind, "denied");
  assert.match(lost.detail, "its registration was preempted");
  assert.match(lost.detail, keyText(keys.B));
  assert.is(await kind(b.holds(request)), "granted");

  assert.is(await kind(a.ask(request)), "granted", "back, but only by asking");
  assert.equal([volume.write("A"), volume.write("B")], ["done", "conflict"]);
  assert.not(
    volume.changes.some((each) => /:[35]$/.test(each)),
    "no CLEAR, no PREEMPT AND ABORT",
  );
});

test("given away in order: nothing of it is left, and the other site takes it", async () => {
  const volume = new SimulatedVolume();
  const a = host(volume, "A", keys.A);
  await a.ask(request);
  assert.is(await kind(a.release(request)), "granted");
  assert.is(await kind(a.release(request)), "granted", "twice");
  assert.is(volume.holder, null);
  assert.is(await kind(a.holds(request)), "denied");
  assert.is(await kind(host(volume, "B", keys.B).ask(request)), "granted");
});

for (const type of [5, 6, 7, 8] as const) {
  test(`type ${type}: several hosts a site; the holder's and all others' keys go`, async () => {
    const volume = new SimulatedVolume();
    const all = (site: number) =>
      [0, 1, 2].map((slot) =>
        host(volume, `${site}/${slot}`, reservationKey("demo", site, slot), type),
      );
    const tokyo = all(1);
    const osaka = all(2);
    for (const each of tokyo) assert.is(await kind(each.ask(request)), "granted");
    for (const each of tokyo) assert.is(await kind(each.holds(request)), "granted");
    assert.is(await kind((osaka[1] as Arbiter).ask(request)), "granted");
    for (const each of tokyo) assert.is(await kind(each.holds(request)), "denied");
    for (const slot of [0, 1, 2]) assert.is(volume.write(`1/${slot}`), "conflict");
  });
}

test("the site's reservation is no right of a host that is not registered", async () => {
  const volume = new SimulatedVolume();
  await host(volume, "1/0", keys.A).ask(request);
  const sibling = host(volume, "1/1", reservationKey("demo", 1, 1));
  assert.match((await sibling.holds(request)).detail, "this host is not registered");
  assert.is(await kind(sibling.holds(request)), "denied");
  assert.is(await kind(sibling.ask(request)), "granted");
  assert.is(volume.holder?.path, "1/0", "its sibling still holds, and both may write");
});

test("a key of another program is left alone, and nothing is changed", async () => {
  const volume = new SimulatedVolume();
  volume.paths.set("X", { key: 0xabcdefn, attentions: [] });
  const answer = await host(volume, "A", keys.A).ask(request);
  assert.is(answer.kind, "denied");
  assert.match(answer.detail, "0x0000000000abcdef is another program's; nothing was changed");
  assert.equal(volume.changes, []);
});

test("a key of this host from an older configuration is replaced", async () => {
  const volume = new SimulatedVolume();
  volume.paths.set("A", { key: reservationKey("demo", 1, 7), attentions: [] });
  assert.is(await kind(host(volume, "A", keys.A).ask(request)), "granted");
  assert.is(volume.paths.get("A")?.key, keys.A);
});

test("another type at the other site: the holder is preempted; all registrants are refused", async () => {
  const volume = new SimulatedVolume();
  await host(volume, "A", keys.A, 6).ask(request);
  assert.is(await kind(host(volume, "B", keys.B, 5).ask(request)), "granted");
  assert.is(volume.holder?.type, 5);
  const shared = new SimulatedVolume();
  await host(shared, "A", keys.A, 7).ask(request);
  const answer = await host(shared, "B", keys.B, 5).ask(request);
  assert.is(answer.kind, "denied");
  assert.match(answer.detail, "give both sites one type");
});

test("both ask at once: never both", async () => {
  for (let turn = 0; turn < 50; turn++) {
    const volume = new SimulatedVolume();
    // Each command waits for its turn, in an order that differs from round to round.
    let seed = turn + 1;
    const slow =
      (name: string): SendScsi =>
      async (command, left) => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
        for (let wait = (seed >> 16) % 5; wait > 0; wait--) await new Promise(setImmediate);
        return volume.from(name)(command, left);
      };
    const open = (name: "A" | "B") =>
      openReservation(
        { kind: "reservation", devices: ["/dev/sda"], key: keys[name], limitMs },
        slow(name),
        fit,
      );
    const [a, b] = [open("A"), open("B")];
    await Promise.all([a.ask(request), b.ask(request)]);
    const holding = [await kind(a.holds(request)), await kind(b.holds(request))];
    assert.ok(holding.filter((each) => each === "granted").length <= 1, holding.join());
    const writing = [volume.write("A"), volume.write("B")].filter((each) => each === "done");
    assert.ok(writing.length <= 1, "at most one may write");
  }
});

test("several disks: all or none, and what is true now is told", async () => {
  const volumes = { "/dev/sda": new SimulatedVolume(), "/dev/sdb": new SimulatedVolume() };
  await host(volumes, "A", keys.A).ask(request);
  volumes["/dev/sdb"].before = (name, action) =>
    name === "B" && action === 4 ? { kind: "failed", code: "EIO" } : null;
  const half = await host(volumes, "B", keys.B).ask(request);
  assert.is(half.kind, "unknown");
  assert.match(half.detail, "/dev/sdb: PREEMPT: EIO; now: /dev/sda held here, /dev/sdb key");
  volumes["/dev/sdb"].before = () => null;
  assert.is(await kind(host(volumes, "B", keys.B).ask(request)), "granted");
});

test("a disk that cannot serve is found before anything is changed", async () => {
  const good = new SimulatedVolume();
  const send =
    (answer: ScsiAnswer): SendScsi =>
    async (command, left) =>
      command.path === "/dev/sda" ? good.from("A")(command, left) : answer;
  const ask = (answer: ScsiAnswer, unfit: typeof unfitDisk = fit) =>
    openReservation(
      { kind: "reservation", devices: ["/dev/sda", "/dev/sdb"], key: keys.A, limitMs: 300 },
      send(answer),
      unfit,
    ).ask(request);
  for (const answer of [
    { kind: "failed", code: "EIO" }, { kind: "conflict" }, { kind: "overdue" }, { kind: "busy" },
    { kind: "sense", key: 5, code: 0x20, qualifier: 0 }, { kind: "sense", key: 6, code: 0x29, qualifier: 0 },
    { kind: "sense", key: 2, code: 4, qualifier: 1 }, { kind: "good", data: Buffer.alloc(3) },
  ] as const) // biome-ignore format: a list
    assert.is(await kind(ask(answer)), "unknown", JSON.stringify(answer));
  const unfit = await ask({ kind: "busy" }, async (file) =>
    file === "/dev/sdb" ? "is a map" : null,
  );
  assert.equal(unfit, { kind: "denied", detail: "/dev/sdb: is a map; nothing was changed" });
  assert.equal(good.changes, []);
});

test("without READ FULL STATUS it works too", async () => {
  const volume = new SimulatedVolume();
  volume.hasFullStatus = false;
  assert.is(await kind(host(volume, "A", keys.A).ask(request)), "granted");
  assert.is(await kind(host(volume, "B", keys.B).ask(request)), "granted");
  assert.is(await kind(host(volume, "A", keys.A).holds(request)), "denied");
});

function spoilt(data: Buffer, random: (below: number) => number): Buffer<ArrayBuffer> {
  const damaged = Buffer.from(data);
  for (let count = 1 + random(3); count > 0; count--) {
    const at = random(damaged.length);
    damaged[at] = random(2) === 0 ? random(256) : (damaged[at] ?? 0) ^ (1 << random(8));
  }
  return random(4) === 0 ? damaged.subarray(0, random(damaged.length)) : damaged;
}

test("10,000 looks with one damaged answer: never held by damage", async () => {
  const volume = new SimulatedVolume();
  const [a, b] = [host(volume, "A", keys.A), host(volume, "B", keys.B)];
  await a.ask(request);
  await b.ask(request);
  // The closest it can come to A's: A is registered again, and holds nothing.
  const path = volume.paths.get("A");
  assert.ok(path);
  path.key = keys.A;
  path.attentions = [];
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((seed / 0x8000_0000) * below);
  };
  const counts: Record<string, number> = {};
  for (let round = 0; round < 10_000; round++) {
    const target = [0, 1, 3][random(3)];
    // Once, or the same again and again.
    const isLasting = random(2) === 0;
    let isPending = true;
    let damaged = Buffer.alloc(0);
    volume.damage = (action, data) => {
      if (action !== target || !(isPending || isLasting)) return data;
      if (isPending) damaged = spoilt(data, random);
      isPending = false;
      return damaged;
    };
    const answer = await a.holds(request);
    assert.is.not(answer.kind, "granted", answer.detail);
    counts[answer.kind] = (counts[answer.kind] ?? 0) + 1;
  }
  assert.ok(
    (counts["denied"] ?? 0) > 100 && (counts["unknown"] ?? 0) > 100,
    JSON.stringify(counts),
  );
  volume.damage = (_, data) => data;
  assert.is(await kind(b.ask(request)), "granted");
  assert.is(await kind(b.holds(request)), "granted", "without damage it is seen to be held");
});

test("answers that do not go together are no look", () => {
  const { A, B } = keys;
  const registered = { generation: 3, keys: [A, B] };
  const held = { generation: 3, holder: { key: A, type: 5 } };
  const full = (holding: bigint | null, generation = 3, all = [A, B]) => ({
    generation,
    registrations: all.map((key) => ({ key, holds: key === holding ? 5 : null })),
  });
  const look = { keys: [A, B], holder: { key: A, type: 5 } };
  assert.equal(agreed(registered, held, full(A)), look);
  assert.equal(agreed(registered, held, null), look);
  const refused = (...answers: Parameters<typeof agreed>) =>
    assert.type(agreed(...answers), "string");
  refused(registered, { ...held, generation: 4 }, null);
  refused(registered, held, full(A, 4));
  refused(registered, held, full(A, 3, [A]));
  refused(registered, held, full(A, 3, [A, B, B]));
  refused(registered, held, full(B));
  refused(registered, held, full(null));
  refused(registered, { generation: 3, holder: null }, full(A));
  refused(registered, { generation: 3, holder: { key: A, type: 6 } }, full(A));
  refused({ generation: 3, keys: [B] }, held, null);
});

test("an ask that hangs ends by its limit; a second one is not queued behind it", async () => {
  const arbiter = openReservation(
    { kind: "reservation", devices: ["/dev/sda"], key: keys.A, limitMs: 60_000 },
    (_, left) => new Promise((resolve) => setTimeout(() => resolve({ kind: "overdue" }), left)),
    fit,
  );
  const began = performance.now();
  const first = arbiter.ask({ ...request, limitMs: 200 });
  assert.match((await arbiter.holds(request)).detail, "earlier question");
  assert.is(await kind(first), "unknown");
  assert.ok(performance.now() - began < 1500);
});

test("a fault of the program is unknown", async () => {
  const settings = { kind: "reservation", devices: ["/dev/sda"], key: keys.A, limitMs } as const;
  const arbiter = openReservation(settings, () => Promise.reject(new Error("defect")), fit);
  assert.equal(await arbiter.ask(request), {
    kind: "unknown",
    detail: "fault of the program: defect",
  });
});

test("keys tell cluster, site and slot, and are never 0", () => {
  assert.is(keyText(reservationKey("demo", 1, 0)).length, 18);
  assert.is(ownerOf(reservationKey("demo", 1, 5), keys.A), "own-site");
  assert.is(ownerOf(keys.B, keys.A), "other-site");
  assert.is(ownerOf(reservationKey("another", 2, 0), keys.A), "foreign");
  assert.is(ownerOf(keys.A & ~0xff_0000n, keys.A), "foreign", "no site has id 0");
  const seen = new Set<bigint>();
  for (let site = 1; site <= 255; site++)
    for (const slot of [0, 1, 255, 256, 4095]) seen.add(reservationKey("demo", site, slot));
  assert.is(seen.size, 255 * 5);
  assert.not(seen.has(0n));
});

test("what cannot be reserved is refused in words: no device, a partition, a map", async () => {
  assert.match((await unfitDisk("/nowhere/disk")) ?? "", "does not exist");
  assert.match((await unfitDisk("/dev/null")) ?? "", "is not a block device");
});

test("a map of device mapper and a partition, by what the kernel says of them", async () => {
  const { readdirSync, statSync } = await import("node:fs");
  const disk = readdirSync("/sys/class/block").find((name) => {
    try {
      return statSync(`/dev/${name}`).isBlockDevice();
    } catch {
      return false;
    }
  });
  if (disk === undefined) return;
  const rdev = statSync(`/dev/${disk}`).rdev;
  const number = `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
  const root = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-sysfs-"));
  try {
    const folder = path.join(root, "dev/block", number);
    mkdirSync(path.join(folder, "dm"), { recursive: true });
    assert.match((await unfitDisk(`/dev/${disk}`, root)) ?? "", "name the disk of each path");
    writeFileSync(path.join(folder, "partition"), "1\n");
    assert.match((await unfitDisk(`/dev/${disk}`, root)) ?? "", "is a partition");
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("describe says each command, with the keys", () => {
  const { describe } = host(new SimulatedVolume(), "A", keys.A);
  assert.is(describe.length, 4);
  assert.match(describe[1] ?? "", `--param-sark=${keyText(keys.A)} /dev/sda`);
});

test.run();
