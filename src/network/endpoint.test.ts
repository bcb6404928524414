/** The socket of the network path: what it takes, what it drops, and how it fails. */
import dgram from "node:dgram";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { addressText, type Endpoint, openEndpoint } from "./endpoint.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function opened(host = "127.0.0.1", port = 0): Promise<Endpoint> {
  const result = await openEndpoint({ host, port });
  if (!result.ok) throw new Error(result.message);
  return result.endpoint;
}

async function freePort(): Promise<number> {
  const socket = dgram.createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", () => resolve()));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

test("datagrams come in order, are handed over once, and are bounded", async () => {
  const port = await freePort();
  const endpoint = await opened("127.0.0.1", port);
  const sender = await opened();
  const to = { host: "127.0.0.1", port };
  for (let n = 0; n < 20; n++) sender.send(Buffer.from([n]), to);
  const got: number[] = [];
  for (const end = performance.now() + 5000; got.length < 20; await pause(5)) {
    assert.ok(performance.now() < end, `${got}`);
    got.push(...endpoint.drain().map((bytes) => bytes[0] ?? -1));
  }
  assert.equal(
    got,
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.equal(endpoint.drain(), []);
  let sent = 0;
  for (const end = performance.now() + 20_000; endpoint.droppedDatagrams === 0; await pause(1)) {
    assert.ok(performance.now() < end, "the queue has a bound");
    for (let n = 0; n < 100; n++, sent++) sender.send(Buffer.alloc(16), to);
  }
  const held = endpoint.drain().length;
  assert.ok(held > 1000 && held <= 4096, `${held} held of ${sent}`);
  endpoint.close();
  sender.close();
});

test("an address in use, one that this machine has not, and a port that is not allowed", async () => {
  const port = await freePort();
  const endpoint = await opened("127.0.0.1", port);
  const taken = await openEndpoint({ host: "127.0.0.1", port });
  assert.ok(!taken.ok && taken.code === "EADDRINUSE");
  assert.match(taken.ok ? "" : taken.message, /already in use by another program/);
  const absent = await openEndpoint({ host: "192.0.2.77", port });
  assert.ok(!absent.ok && absent.code === "EADDRNOTAVAIL");
  endpoint.close();
});

test("what cannot be sent is counted, never thrown", async () => {
  const endpoint = await opened();
  endpoint.send(Buffer.alloc(70_000), { host: "127.0.0.1", port: 9 });
  endpoint.send(Buffer.alloc(16), { host: "127.0.0.1", port: 9 });
  endpoint.send(Buffer.alloc(16), { host: "::1", port: 9 });
  for (const end = performance.now() + 5000; endpoint.sendErrors === 0; await pause(5))
    assert.ok(performance.now() < end);
  assert.ok(endpoint.sendErrors >= 1);
  endpoint.close();
});

test("addresses as text", () => {
  assert.is(addressText({ host: "10.0.8.11", port: 7789 }), "10.0.8.11:7789");
  assert.is(addressText({ host: "fd00::1", port: 7789 }), "[fd00::1]:7789");
});

test.run();
