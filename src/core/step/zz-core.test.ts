import { test } from "uvu";
import { World } from "../../testing/core-world.ts";
import { eventText } from "../base/event.ts";
import { detectionBoundMs, timingDefaults } from "../base/timing.ts";
test("x", () => {
  const world = new World({ takeoverHook: true });
  world.run(8000);
  world.kill("tokyo-1", "tokyo-2");
  world.run(detectionBoundMs(timingDefaults, 0));
  const t0 = world.nowMs;
  world.input("osaka-2", { kind: "takeover", id: 9001, force: false } as never);
  world.run(480);
  world.input("osaka-1", { kind: "takeover", id: 9002, force: false } as never);
  world.run(20_000);
  for (const n of ["osaka-1", "osaka-2"]) for (const { atMs, event } of world.agent(n).told.filter((x) => x.atMs >= t0)) console.log(n, Math.round(atMs - t0), eventText(event));
  for (const n of ["osaka-1", "osaka-2"]) console.log(n, world.agent(n).answers, world.agent(n).state.role, world.agent(n).state.servesHere);
});
test.run();
