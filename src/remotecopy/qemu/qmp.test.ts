/** The client against servers that behave in every way that a monitor may, and may not. */
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { converse, lineBytesMax, parseAddress, type QmpCommand } from "./qmp.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-qmp-"));
const greeting = `${JSON.stringify({ QMP: { version: {}, capabilities: [] } })}\n`;
const ask: readonly QmpCommand[] = [{ execute: "query-version" }, { execute: "query-jobs" }];
const limitMs = 5000;
let sockets = 0;

type Talk = (socket: net.Socket, line: string) => void;

/** A server that greets, and answers each line. */
async function withServer(
  greet: string | null,
  talk: Talk,
  body: (path: string) => Promise<void>,
): Promise<void> {
  const file = path.join(folder, `${++sockets}.sock`);
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    if (greet !== null) socket.write(greet);
    let held = "";
    socket.on("data", (data) => {
      const lines = (held + data.toString()).split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) talk(socket, line);
    });
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  try {
    await body(file);
  } finally {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const idOf = (line: string): unknown => (JSON.parse(line) as { id: unknown }).id;
const answer = (line: string, body: object): string =>
  `${JSON.stringify({ ...body, id: idOf(line) })}\n`;
const obey: Talk = (socket, line) => void socket.write(answer(line, { return: {} }));
const at = (file: string) => ({ kind: "path", path: file }) as const;

/** The capabilities are had; then this. */
const then =
  (talk: Talk): Talk =>
  (socket, line) =>
    line.includes("qmp_capabilities") ? obey(socket, line) : talk(socket, line);

async function expectFault(
  greet: string | null,
  talk: Talk,
  wanted: string,
  givenMs = limitMs,
): Promise<void> {
  await withServer(greet, talk, async (file) => {
    const said = await converse(at(file), ask, givenMs);
    assert.is(said.ok, false);
    if (!said.ok) assert.is(said.fault.class, wanted, said.fault.message);
  });
}

test("commands in order, events and long answers passed over", async () => {
  const event = `${JSON.stringify({ event: "JOB_STATUS_CHANGE", data: {} })}\r\n`;
  const long = "x".repeat(lineBytesMax - 1000);
  const talk: Talk = (socket, line) => {
    for (let times = 0; times < 50; times++) socket.write(event);
    const { execute } = JSON.parse(line) as { execute: string };
    socket.write(answer(line, { return: execute === "query-jobs" ? long : execute }));
  };
  await withServer(greeting, talk, async (file) => {
    const said = await converse(at(file), ask, limitMs);
    assert.ok(said.ok);
    assert.equal(said.replies, [
      { ok: true, value: "query-version" },
      { ok: true, value: long },
    ]);
  });
});

test("a refusal ends the conversation, and is told in plain ASCII", async () => {
  const refuse: Talk = (socket, line) => {
    socket.write(answer(line, { error: { class: "GenericError", desc: "not\tso \u00e9" } }));
  };
  await withServer(greeting, then(refuse), async (file) => {
    const said = await converse(at(file), ask, limitMs);
    assert.ok(said.ok);
    assert.equal(said.replies, [{ ok: false, message: "not so  " }]);
  });
});

test("an answer in single bytes", async () => {
  const drip: Talk = (socket, line) => {
    for (const byte of answer(line, { return: 1 })) socket.write(byte);
  };
  await withServer(greeting, drip, async (file) => {
    assert.ok((await converse(at(file), ask, limitMs)).ok);
  });
});

test("nobody there: daemon-down", async () => {
  const none = await converse(at(path.join(folder, "none")), ask, limitMs);
  assert.ok(!none.ok && none.fault.class === "daemon-down");
  const port = await new Promise<number>((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port: free } = server.address() as net.AddressInfo;
      server.close(() => resolve(free));
    });
  });
  const refused = await converse({ kind: "host", host: "127.0.0.1", port }, ask, limitMs);
  assert.ok(!refused.ok && refused.fault.class === "daemon-down");
});

test("silence: timeout, before or after the greeting", async () => {
  await expectFault(null, obey, "timeout", 100);
  await expectFault(greeting, () => undefined, "timeout", 100);
  const chatter: Talk = (socket) => void socket.write('{"event":"X"}\n');
  await expectFault(greeting, chatter, "timeout", 100);
});

test("no QMP, or half of it: unparseable", async () => {
  await expectFault("hello\n", obey, "unparseable");
  await expectFault('{"hello":1}\n', obey, "unparseable");
  await expectFault("x".repeat(lineBytesMax + 2), obey, "unparseable");
  const end = (text: string): Talk => then((socket) => void socket.end(text));
  await expectFault(greeting, end('{"return":'), "unparseable");
  await expectFault(greeting, end("[]\n"), "unparseable");
  await expectFault(greeting, end("\u0000\n"), "unparseable");
  await expectFault(greeting, end('{"return":{},"id":99}\n'), "unparseable");
  await expectFault(greeting, end('{"return":{}}\n'), "unparseable");
  await expectFault(greeting, end('{"error":"x","id":1}\n'), "unparseable");
  await expectFault(greeting, end('{"return":1,"error":{"desc":""},"id":1}\n'), "unparseable");
  await expectFault(greeting, end(""), "daemon-down");
});

test("a flood of events has an end", async () => {
  const flood: Talk = (socket) => void socket.write('{"event":"X"}\n'.repeat(20_000));
  await expectFault(greeting, flood, "unparseable", 20_000);
});

test("addresses", () => {
  assert.equal(parseAddress("/run/q.sock"), { kind: "path", path: "/run/q.sock" });
  assert.equal(parseAddress("10.0.0.1:99"), { kind: "host", host: "10.0.0.1", port: 99 });
  assert.equal(parseAddress("[fe80::1]:99"), { kind: "host", host: "fe80::1", port: 99 });
  for (const text of ["", "host", "host:", "host:0", "host:70000", "a b:1"]) {
    assert.is(parseAddress(text), null, text);
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
