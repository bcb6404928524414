/** What an agent says of multipath maps under its volumes: once, and again when it changes. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CoreEvent } from "../core/base/event.ts";
import type { MultipathFinding, Queueing } from "../volume/multipath.ts";
import { multipathWatch, type WatchedDevice } from "./multipath-watch.ts";

const device = "/dev/disk/by-id/wwn-0x600508b4000a1b2a";

function watchOf(number: string | null = "253:0") {
  const told: CoreEvent[] = [];
  const world = { queueing: "on" as Queueing | null, number, asked: 0 };
  const devices = (): readonly WatchedDevice[] => [
    { mirror: "a-b", device, deviceNumber: world.number },
  ];
  const find = async (deviceNumber: string): Promise<readonly MultipathFinding[]> => {
    world.asked += 1;
    const { queueing } = world;
    return queueing === null ? [] : [{ name: "mpatha", deviceNumber, queueing }];
  };
  const watch = multipathWatch(devices, (event) => void told.push(event), find);
  return { world, told, watch };
}

test("a map that queues is a warning with the configured name, once, and a note", async () => {
  const { told, watch } = watchOf();
  assert.is(watch.noteOf("a-b"), null);
  await watch.look();
  await watch.look();
  assert.is(told.length, 1);
  assert.is(told[0]?.level, "warning");
  assert.is(told[0]?.ev, "device");
  assert.is(told[0]?.fields["device"], device);
  assert.match(String(told[0]?.fields["reason"]), /queue_if_no_path.*disablequeueing map mpatha/);
  assert.is(told[0]?.fields["ok"], undefined, "the device itself is well");
  assert.match(watch.noteOf("a-b") ?? "", /mpatha queues/);
  assert.is(watch.noteOf("b-a"), null);
});

test("queueing switched off while it runs is told, and on again", async () => {
  const { world, told, watch } = watchOf();
  await watch.look();
  world.queueing = "off";
  await watch.look();
  assert.is(told.at(-1)?.level, "notice");
  assert.match(String(told.at(-1)?.fields["reason"]), /any more$/);
  assert.is(watch.noteOf("a-b"), null);
  world.queueing = "on";
  await watch.look();
  assert.equal(
    told.map(({ level }) => level),
    ["warning", "notice", "warning"],
  );
});

test("what cannot be told is a notice; no map is silence", async () => {
  const { world, told, watch } = watchOf();
  world.queueing = null;
  await watch.look();
  assert.equal(told, []);
  world.queueing = "unknown";
  await watch.look();
  assert.is(told[0]?.level, "notice");
  assert.match(watch.noteOf("a-b") ?? "", /not known/);
});

test("a device that is not open is not looked at, and what was said of it stays", async () => {
  const { world, told, watch } = watchOf();
  await watch.look();
  world.number = null;
  world.queueing = null;
  await watch.look();
  assert.is(world.asked, 1);
  assert.is(told.length, 1);
  assert.match(watch.noteOf("a-b") ?? "", /mpatha queues/);
});

test("looks do not pile up while one is under way", async () => {
  let release: () => void = () => undefined;
  let asked = 0;
  const watch = multipathWatch(
    () => [{ mirror: "a-b", device, deviceNumber: "253:0" }],
    () => undefined,
    () => {
      asked += 1;
      return new Promise((resolve) => {
        release = () => resolve([]);
      });
    },
  );
  const first = watch.look();
  await watch.look();
  await watch.look();
  assert.is(asked, 1);
  release();
  await first;
  const second = watch.look();
  assert.is(asked, 2);
  release();
  await second;
});

test.run();
