import { test } from "uvu";
import { World } from "../../testing/core-world.ts";
import { Judge } from "../../testing/core-judge.ts";
import { eventText } from "../base/event.ts";
const wish = {
  tokyo: ["tokyo-1"],
  osaka: ["osaka-1"],
  policy: "lease",
  takeoverHook: true,
} as const;
const show = (world: World, judge: Judge) => {
  const lines: [number, string][] = [];
  for (const a of world.agents.values())
    for (const { atMs, event } of a.told) lines.push([atMs, `${a.name} ${eventText(event)}`]);
  lines.sort((a, b) => a[0] - b[0]);
  for (const [t, l] of lines) console.log(Math.round(t), l.slice(0, 220));
  console.log(judge.log.join("\n"), judge.breaches);
};

const run2 = (name: string, w: object, f: (world: World, judge: Judge) => void, how = {}) =>
  test(name, () => {
    const world = new World({ ...wish, ...w });
    const judge = new Judge(world, how);
    console.log("=====", name);
    f(world, judge);
    show(world, judge);
    for (const a of world.agents.values())
      if (a.answers.length)
        console.log(
          a.name,
          JSON.stringify(a.answers, (_, v) => (typeof v === "bigint" ? String(v) : v)),
        );
    for (const a of world.agents.values())
      console.log(
        a.name,
        a.alive,
        a.state.role,
        a.state.term,
        a.state.lease.solo,
        a.state.lock.phase,
        a.serviceRuns,
        JSON.stringify(a.state.waiting, (_, v) => (typeof v === "bigint" ? String(v) : v)).slice(
          0,
          200,
        ),
      );
  });
run2("handover", {}, (world) => {
  world.run(20000);
  world.input("tokyo-1", { kind: "switchover", id: 7, to: "osaka", repair: false } as never);
  world.run(60000);
});
run2("two", { tokyo: undefined, osaka: undefined }, (world) => {
  world.run(40000);
  world.reset("tokyo-1");
  world.reset("tokyo-2");
  world.run(60000);
});
run2(
  "local",
  { tokyo: undefined, osaka: undefined, takeover: { local: true } },
  (world, judge) => {
    world.run(40000);
    const h = judge.hosts()[0] ?? "none";
    console.log(h);
    world.reset(h);
    world.run(60000);
  },
  { local: true },
);
run2("witness", { policy: "witness", witness: "nagoya-1" }, (world) => {
  world.run(40000);
  world.reset("tokyo-1");
  world.run(60000);
});

test.run();
