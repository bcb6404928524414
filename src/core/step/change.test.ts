import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../../testing/core-world.ts";
import { changed, changedPeer, withLease, withWaiting } from "./change.ts";
import type { Peer, State } from "./state.ts";

function someState(): State {
  const world = new World({ policy: "lease" });
  world.run(5000);
  return world.agent("osaka-1").state;
}

test("a changed state is the same as a spread, and the one before stays as it was", () => {
  const state = someState();
  const before = { ...state };
  const change = { nowMs: 77, role: "fenced", takeover: null } as const;
  assert.equal(changed(state, change), { ...state, ...change });
  assert.equal(changed(state, {}), before);
  assert.equal(Object.keys(changed(state, {})), Object.keys(state));
  assert.equal(state, before);
});

test("a changed lease and wait", () => {
  const state = someState();
  const lease = { ...state.lease, solo: true, limitMs: 5 };
  assert.equal(withLease(state, { solo: true, limitMs: 5 }), { ...state, lease });
  const waiting = { ...state.waiting, ripe: true, claimSerial: 3n };
  assert.equal(withWaiting(state, { ripe: true, claimSerial: 3n }), { ...state, waiting });
});

test("a changed peer", () => {
  const peer = someState().peers[0] as Peer;
  assert.equal(changedPeer(peer, { enabled: false }), { ...peer, enabled: false });
  assert.equal(Object.keys(changedPeer(peer, {})).sort(), Object.keys(peer).sort());
});

test.run();
