// test-limit-seconds: 120
/** Datagrams that must not be believed, sent to the shipped agent: counted, and of no effect. */
import { randomBytes } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crcOffset, sectorBytes } from "../core/sector/layout.ts";
import { datagramHead, redatagram, sealingOf, slotOf } from "../testing/agent-sectors.ts";
import { crc32c, otherKey, sealingWith } from "../testing/core-seal.ts";
import { pause, withWorld, type World } from "../testing/agent-world.ts";

const calm = { marginMs: 1600 };
const batch = 50;

type Counts = Readonly<Record<string, number>>;

async function rejections(world: World): Promise<Counts> {
  const { rejected } = await world.status("b1");
  return Object.fromEntries(
    Object.entries(rejected)
      .filter(([key]) => key.startsWith("network "))
      .map(([key, count]) => [key.slice("network ".length), count]),
  );
}

const total = (counts: Counts): number => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** Sends all, few at a time so that none is lost on the way, until each was counted. */
async function injectAll(world: World, datagrams: readonly Uint8Array[]): Promise<Counts> {
  const before = await rejections(world);
  for (let at = 0; at < datagrams.length; at += batch) {
    for (const bytes of datagrams.slice(at, at + batch)) await world.lan.inject("b1", bytes);
    const wanted = total(before) + Math.min(datagrams.length, at + batch);
    await world.until(`${wanted} counted`, async () => total(await rejections(world)) >= wanted);
  }
  const after = await rejections(world);
  const keys = Object.keys(after).filter((key) => after[key] !== before[key]);
  return Object.fromEntries(keys.map((key) => [key, (after[key] ?? 0) - (before[key] ?? 0)]));
}

function captured(world: World): Buffer {
  const last = world.lan.recent("a1", "b1").at(-1);
  if (!last) throw new Error("a1 sent nothing");
  return last;
}

/** The checksums made right again, so that only what lies under them can tell. */
function withChecksums(datagram: Buffer): Buffer {
  for (const at of [0, sectorBytes]) {
    const sector = datagram.subarray(at, at + sectorBytes);
    sector.writeUInt32LE(crc32c(sector.subarray(0, crcOffset)), crcOffset);
  }
  return datagram;
}

async function undisturbed(world: World, body: () => Promise<void>): Promise<void> {
  await world.beating();
  const fromMs = performance.now();
  const before = slotOf(world.volume("b-a", "pvol"), 0).newest().serial;
  await body();
  await world.until(
    "b1 beats on",
    () => slotOf(world.volume("b-a", "pvol"), 0).newest().serial > before + 2n,
  );
  assert.equal(world.alarms("b1", fromMs), []);
  assert.equal(world.events("b1", "verdict", fromMs), []);
  assert.equal(world.events("b1", "restart", fromMs), []);
  assert.is((await world.status("b1")).term, "257", "no term was learnt");
}

test("each reason has its name and its count", () =>
  withWorld({ timing: calm }, (world) =>
    undisturbed(world, async () => {
      const sealing = sealingOf(world.keyFile);
      const far = { serial: 1_000_000n };
      const of = (changes: Parameters<typeof redatagram>[1], echo = {}) =>
        redatagram(captured(world), { ...far, ...changes }, sealing, echo);
      const stranger = sealingWith(otherKey);
      const cases: readonly (readonly [string, Buffer])[] = [
        ["short", captured(world).subarray(0, 1023)],
        ["short", Buffer.alloc(0)],
        ["long", Buffer.concat([captured(world), Buffer.alloc(1)])],
        ["not-a-record", Buffer.alloc(1024)],
        ["not-a-record", randomBytes(1024)],
        ["not-a-record", Buffer.concat([of({}).subarray(0, 512), Buffer.alloc(512)])],
        ["version-newer", of({ version: 9 })],
        ["version-newer", of({ features: 1 })],
        ["foreign-cluster", of({ ...datagramHead("elsewhere", 2, 0) })],
        ["misplaced", of({ ...datagramHead(world.cluster, 2, 1) })],
        ["misplaced", of({ ...datagramHead(world.cluster, 1, 0) })],
        ["misplaced", of({ copy: 1 })],
        ["wrong-site", of({ site: 9 })],
        ["wrong-site", of({ site: 2 })],
        ["wrong-site", of({ slot: 7 })],
        ["wrong-host", of({ hostName: "a7" })],
        ["unknown-key", redatagram(captured(world), far, stranger)],
        ["forged", redatagram(captured(world), far, { ...stranger, mac: (_, bytes) => stranger.mac(stranger.keyId, bytes), keyId: sealing.keyId })],
        ["forged", of({}, { serial: 5n })],
        ["replayed", captured(world)],
        ["replayed", of({ serial: 1n })],
        ["replayed", of({ incarnation: 0n })],
      ]; // biome-ignore format: a table
      for (const [reason, bytes] of cases) {
        const counted = await injectAll(world, [bytes]);
        assert.equal(Object.keys(counted), [reason], `${reason}: ${JSON.stringify(counted)}`);
      }
      // What stands on the volume is no datagram, though every signature is right.
      const block = slotOf(world.volume("a-b", "pvol"), 0).read().subarray(0, 1024);
      const passed = await injectAll(world, [block]);
      assert.equal(Object.keys(passed), ["foreign-volume"]);
      const { out } = await world.verb("b1", "status");
      assert.match(out, /NOTE {5}not believed: network forged, 2 times/);
    }),
  ));

test("one flipped bit anywhere in a datagram is found, with and without right checksums", () =>
  withWorld({ timing: calm }, (world) =>
    undisturbed(world, async () => {
      const base = redatagram(captured(world), { serial: 1_000_000n }, sealingOf(world.keyFile));
      const flipped = Array.from({ length: base.length }, (_, at) => {
        const bytes = Buffer.from(base);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (at & 7));
        return bytes;
      });
      const raw = await injectAll(world, flipped);
      assert.equal(Object.keys(raw).sort(), ["checksum", "not-a-record"]);
      assert.is(total(raw), base.length);
      // The last four bytes of each sector are the checksum itself.
      const signed = flipped.filter((_, at) => at % sectorBytes < crcOffset);
      const sealed = await injectAll(world, signed.map(withChecksums));
      assert.is(total(sealed), signed.length, JSON.stringify(sealed));
      assert.ok((sealed["forged"] ?? 0) > 600, JSON.stringify(sealed));
    }),
  ));

test("reordered, repeated and late datagrams change nothing", () =>
  withWorld({ timing: calm }, (world) =>
    undisturbed(world, async () => {
      const sent: Buffer[] = [];
      let held: Buffer | null = null;
      world.lan.carry((from, _to, bytes) => {
        if (from !== "a1") return [bytes];
        sent.push(bytes);
        const late = sent.at(-4) ?? bytes;
        // Every second one waits for its successor; each brings an old one along.
        const out = held ? [bytes, held, late] : sent.length % 4 === 0 ? [] : [bytes, late];
        held = held || sent.length % 4 !== 0 ? null : bytes;
        return out;
      });
      await world.until(
        "replays counted",
        async () => ((await rejections(world))["replayed"] ?? 0) > 20,
      );
      world.lan.carry(null);
      assert.equal(Object.keys(await rejections(world)), ["replayed"]);
    }),
  ));

test("records of an old run do not bring a dead host back to life", () =>
  withWorld({}, async (world) => {
    await world.beating();
    const old = world.lan.recent("a1", "b1").slice();
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
    const fromMs = performance.now();
    for (let round = 0; round < 5; round++) await injectAll(world, old);
    assert.equal(world.events("b1", "verdict", fromMs), []);
    await world.start("a1");
    await world.untilRow("b1", "a", "1");
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
    const againMs = performance.now();
    const counted = await injectAll(world, old);
    assert.equal(Object.keys(counted), ["replayed"]);
    assert.equal(world.events("b1", "verdict", againMs), []);
  }));

test("a flood of 50,000 datagrams of garbage: counted, status at once, no verdict changes", () =>
  withWorld({ timing: { marginMs: 3000 } }, (world) =>
    undisturbed(world, async () => {
      const beforeAll = total(await rejections(world));
      const near = captured(world);
      let slowestMs = 0;
      for (let sent = 0; sent < 50_000; ) {
        for (let n = 0; n < 100; n++, sent++) {
          const kind = sent % 4;
          const bytes =
            kind === 0
              ? randomBytes(1024)
              : kind === 1
                ? randomBytes(sent % 1400)
                : Buffer.from(near);
          if (kind > 1) bytes[sent % 1024] = (bytes[sent % 1024] ?? 0) ^ 0x55;
          await world.lan.inject("b1", bytes);
        }
        if (sent % 2000 !== 0) continue;
        const beganMs = performance.now();
        await world.status("b1", 10_000);
        slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      }
      await pause(world.timing.intervalMs);
      const status = await world.status("b1");
      const counted = total(await rejections(world)) - beforeAll + status.droppedDatagrams;
      console.log(
        `# flood: ${counted} of 50000 reached the program, slowest status ${slowestMs.toFixed(0)} ms`,
      );
      assert.ok(slowestMs < 2000, `${slowestMs} ms`);
      assert.ok(counted > 5000, `${counted} counted`);
      assert.ok(counted <= 50_000);
    }),
  ));

test.run();
