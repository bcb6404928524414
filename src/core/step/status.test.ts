/** The status object: plain, complete, and the same for the same state. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../../testing/core-world.ts";
import { statusObject } from "./status.ts";

const extras = {
  version: "0.0.0",
  pid: 1,
  engine: "test",
  wallNs: 1_795_332_664_120_000_000n,
  journalFault: null,
  devices: {},
  droppedDatagrams: 0,
};

test("the status of a running agent is plain JSON that tells what it knows", () => {
  const world = new World();
  world.run(10_000);
  world.kill("tokyo-2");
  world.run(10_000);
  const { state } = world.agent("osaka-1");
  const status = statusObject(state, extras);
  assert.equal(JSON.parse(JSON.stringify(status)), status, "no bigint, no undefined");
  assert.equal([status.role, status.term, status.termOwner], ["standby", "257", "tokyo"]);
  const [tokyo] = status.sites;
  assert.equal([tokyo?.site, tokyo?.row], ["tokyo", "1"]);
  assert.equal(
    tokyo?.hosts.map(({ host, row }) => [host, row]),
    [
      ["tokyo-1", "1"],
      ["tokyo-2", "9"],
    ],
  );
  assert.equal(
    tokyo?.hosts[1]?.paths.map(({ path, status: is }) => [path, is]),
    [
      ["network", "stale"],
      ["east", "stale"],
    ],
  );
  assert.equal(
    status.paths.map(({ path, direction }) => [path, direction]),
    [
      ["network", "both"],
      ["east", "in"],
      ["west", "out"],
    ],
  );
});

test("an agent that has just begun has a status too, with nothing in it that it does not know", () => {
  const world = new World();
  const status = statusObject(world.agent("tokyo-1").state, extras);
  assert.equal(JSON.parse(JSON.stringify(status)), status);
  const [osaka] = status.sites;
  assert.is(osaka?.row, null);
  for (const host of osaka?.hosts ?? []) {
    assert.equal([host.row, host.serial, host.state], [null, null, null]);
    for (const path of host.paths)
      assert.equal([path.status, path.ageMs, path.limitMs], ["starting", null, null]);
  }
});

test.run();
