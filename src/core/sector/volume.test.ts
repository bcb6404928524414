/** The plan of a volume: areas, formulas, and what a superblock's numbers must agree on. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sectorOf, superblockValues } from "../../testing/core-samples.ts";
import { decodeSector } from "./codec.ts";
import { blockBytes, echoesPerSector, sectorsPerBlock } from "./layout.ts";
import {
  blocksNeeded,
  echoBlockOf,
  echoBlocksPerCopy,
  echoPeersMax,
  echoSectorsBesideRecord,
  firstPeerOf,
  mailboxBlockOf,
  planHolds,
  planVolume,
  recordBlockOf,
  slotsMax,
  type VolumePlan,
} from "./volume.ts";

const wishes = fc.record({
  slots: fc.integer({ min: 1, max: 60 }),
  echoPeers: fc.integer({ min: 0, max: 400 }),
  mailboxBlocksPerSlot: fc.integer({ min: 0, max: 20 }),
});
const spare = fc.integer({ min: 0, max: 50_000 });

function planOf(wish: Parameters<typeof planVolume>[1], extraBytes: number): [VolumePlan, number] {
  const sizeBytes = blocksNeeded(wish) * blockBytes + extraBytes;
  const result = planVolume(sizeBytes, wish);
  if (!result.ok) throw new Error("it fits by its own account");
  return [result.plan, sizeBytes];
}

test("numbers computed by hand", () => {
  const result = planVolume(1024 * 1024, { slots: 4, echoPeers: 100, mailboxBlocksPerSlot: 16 });
  assert.equal(result, {
    ok: true,
    plan: {
      slots: 4, echoPeers: 100, mailboxBlocksPerSlot: 16, blocks: 256, recordBlock: 8,
      echoBlock: 16, echoBlocksPerCopy: 1, mailboxBlock: 24, backupBlock: 255,
    },
  }); // biome-ignore format: one plan
  assert.equal([0, 1, 9, 10, 63, 64, 4096].map(echoSectorsBesideRecord), [0, 1, 1, 2, 7, 7, 7]);
  assert.equal([0, 63, 64, 135, 136, 4096].map(echoBlocksPerCopy), [0, 0, 1, 1, 2, 57]);
  assert.equal([slotsMax, echoPeersMax], [4096, 4096]);
});

test("no block belongs to two areas, and every area lies between superblock and backup", () => {
  fc.assert(
    fc.property(wishes, spare, (wish, extra) => {
      const [plan] = planOf(wish, extra);
      const owner = new Map<number, string>([[0, "superblock"]]);
      const claim = (block: number, who: string) => {
        assert.ok(block >= 8 && block < plan.backupBlock, `${who} at ${block}`);
        assert.not(owner.has(block), `${who} and ${owner.get(block)} at ${block}`);
        owner.set(block, who);
      };
      for (let slot = 0; slot < wish.slots; slot++) {
        for (const copy of [0, 1] as const) {
          claim(recordBlockOf(plan, slot, copy), `record ${slot} ${copy}`);
          for (let i = 0; i < plan.echoBlocksPerCopy; i++)
            claim(echoBlockOf(plan, slot, copy) + i, `echo ${slot} ${copy}`);
        }
        for (let i = 0; i < wish.mailboxBlocksPerSlot; i++)
          claim(mailboxBlockOf(plan, slot) + i, `mailbox ${slot}`);
      }
      assert.is(owner.size - 1, blocksNeeded(wish) - 9);
    }),
    { numRuns: 150 },
  );
});

test("one block too few does not fit, and the size that is asked for does", () => {
  fc.assert(
    fc.property(wishes, (wish) => {
      const bytes = blocksNeeded(wish) * blockBytes;
      assert.equal(planVolume(bytes - 1, wish), { ok: false, bytesNeeded: bytes });
      assert.ok(planVolume(bytes, wish).ok);
    }),
    { numRuns: 100 },
  );
});

test("a plan holds on its own device and on a grown one, not on a smaller one", () => {
  fc.assert(
    fc.property(wishes, spare, (wish, extra) => {
      const [plan, sizeBytes] = planOf(wish, extra);
      assert.ok(planHolds(plan, sizeBytes));
      assert.ok(planHolds(plan, sizeBytes + 10 * blockBytes));
      assert.not(planHolds(plan, plan.blocks * blockBytes - 1));
    }),
    { numRuns: 100 },
  );
});

test("a plan survives its way through a superblock", () => {
  fc.assert(
    fc.property(wishes, spare, (wish, extra) => {
      const [plan, sizeBytes] = planOf(wish, extra);
      const values = { ...superblockValues(0), ...plan, blocks: BigInt(plan.blocks) };
      const read = decodeSector("superblock", sectorOf("superblock", values));
      const numbers = Object.keys(plan).map((key) => [key, Number(read[key as keyof VolumePlan])]);
      const again = Object.fromEntries(numbers) as VolumePlan;
      assert.equal(again, plan);
      assert.ok(planHolds(again, sizeBytes));
    }),
    { numRuns: 100 },
  );
});

test("any one number that is changed is refused", () => {
  // A volume with other spare room, mailbox size or peers may be a sound volume of another plan:
  // these numbers are free where nothing else depends on them.
  const derived = [
    "recordBlock",
    "echoBlock",
    "echoBlocksPerCopy",
    "mailboxBlock",
    "backupBlock",
  ] as const;
  const change = fc.integer({ min: -9, max: 9 }).filter((by) => by !== 0);
  fc.assert(
    fc.property(wishes, spare, fc.constantFrom(...derived), change, (wish, extra, key, by) => {
      const [plan, sizeBytes] = planOf(wish, extra);
      assert.not(planHolds({ ...plan, [key]: plan[key] + by }, sizeBytes), `${key} ${by}`);
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(wishes, change, (wish, by) => {
      const [plan, sizeBytes] = planOf(wish, 0);
      for (const key of ["slots", "blocks"] as const) {
        assert.not(planHolds({ ...plan, [key]: plan[key] + by }, sizeBytes), `${key} ${by}`);
      }
    }),
    { numRuns: 100 },
  );
});

test("numbers out of range are refused, whatever the rest says", () => {
  const [plan, sizeBytes] = planOf({ slots: 2, echoPeers: 4, mailboxBlocksPerSlot: 16 }, 0);
  assert.ok(planHolds(plan, sizeBytes));
  const many = 2 ** 40;
  const consistent = (wish: Parameters<typeof planVolume>[1]) => {
    const result = planVolume(many, wish);
    return result.ok && planHolds(result.plan, many);
  };
  assert.ok(consistent({ slots: 4096, echoPeers: 4096, mailboxBlocksPerSlot: 16 }));
  assert.not(consistent({ slots: 4097, echoPeers: 4096, mailboxBlocksPerSlot: 16 }));
  assert.not(consistent({ slots: 4096, echoPeers: 4097, mailboxBlocksPerSlot: 16 }));
  assert.not(consistent({ slots: 0, echoPeers: 4, mailboxBlocksPerSlot: 16 }));
});

test("every peer has exactly one echo entry, where the formulas of docs/format.md say", () => {
  for (const peers of [1, 9, 10, 63, 64, 135, 136, 4096]) {
    const places = new Map<number, string>();
    const take = (first: number, where: string) => {
      for (let peer = first; peer < Math.min(peers, first + echoesPerSector); peer++) {
        assert.not(places.has(peer), `peer ${peer} once`);
        places.set(peer, where);
      }
    };
    for (let index = 1; index <= echoSectorsBesideRecord(peers); index++) {
      take(firstPeerOf({ echoBlock: null, index }), `beside ${index}`);
    }
    for (let echoBlock = 0; echoBlock < echoBlocksPerCopy(peers); echoBlock++) {
      for (let index = 0; index < sectorsPerBlock; index++) {
        const first = firstPeerOf({ echoBlock, index });
        if (first < peers) take(first, `block ${echoBlock} ${index}`);
      }
    }
    assert.is(places.size, peers);
    for (const peer of [0, 8, 9, 62, 63, 71, 72, 134, 135, 4095]) {
      if (peer >= peers) continue;
      const q = peer - 63;
      const formula =
        peer < 63
          ? `beside ${1 + Math.floor(peer / 9)}`
          : `block ${Math.floor(q / 72)} ${Math.floor((q % 72) / 9)}`;
      assert.is(places.get(peer), formula, `peer ${peer} of ${peers}`);
    }
  }
});

test.run();
