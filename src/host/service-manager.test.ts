import { test } from "uvu";
import * as assert from "uvu/assert";
import { serviceManagerOf } from "./service-manager.ts";

type Sent = [address: string, text: string];

function managerIn(env: NodeJS.ProcessEnv, answer: string | null = null) {
  const sent: Sent[] = [];
  const manager = serviceManagerOf(env, 42, (address, text) => {
    sent.push([address, text]);
    return answer;
  });
  return { manager, sent };
}

test("nobody listens: nothing is told", () => {
  assert.is(managerIn({}).manager, null);
  assert.is(managerIn({ NOTIFY_SOCKET: "" }).manager, null);
  assert.is(managerIn({ NOTIFY_SOCKET: "vsock:2:1" }).manager, null, "an address of another kind");
  assert.is(managerIn({ NOTIFY_SOCKET: "/" }).manager, null);
});

test("ready and stopping, by path and by abstract name", () => {
  for (const address of ["/run/systemd/notify", "@notify"]) {
    const { manager, sent } = managerIn({ NOTIFY_SOCKET: address });
    assert.is(manager?.ready(), null);
    assert.is(manager?.alive(0), null);
    assert.is(manager?.stopping(), null);
    assert.equal(sent, [
      [address, "READY=1\nMAINPID=42"],
      [address, "STOPPING=1"],
    ]);
  }
});

test("a sign of life a quarter of the limit apart, and only when work was done", () => {
  const { manager, sent } = managerIn({
    NOTIFY_SOCKET: "/n",
    WATCHDOG_USEC: "4000000",
    WATCHDOG_PID: "42",
  });
  assert.is(manager?.limitMs, 4000);
  for (const nowMs of [0, 100, 999, 1000, 1500, 2500]) assert.is(manager?.alive(nowMs), null);
  assert.equal(
    sent.map(([, text]) => text),
    ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"],
  );
});

test("a sign that could not be sent is told, and tried again with the next work", () => {
  const { manager, sent } = managerIn({ NOTIFY_SOCKET: "/n", WATCHDOG_USEC: "4000000" }, "EAGAIN");
  assert.is(manager?.alive(0), "EAGAIN");
  assert.is(manager?.alive(1), "EAGAIN");
  assert.is(sent.length, 2);
});

test("a limit for another process, or one that is no number, is none", () => {
  for (const env of [
    { WATCHDOG_USEC: "4000000", WATCHDOG_PID: "43" },
    { WATCHDOG_USEC: "0" },
    { WATCHDOG_USEC: "soon" },
    { WATCHDOG_USEC: "-5" },
  ]) {
    assert.is(managerIn({ NOTIFY_SOCKET: "/n", ...env }).manager?.limitMs, null);
  }
});

test.run();
