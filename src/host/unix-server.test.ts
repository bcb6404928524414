import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { spawn } from "node:child_process";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Answer,
  request,
  type ServerOptions,
  serveUnix,
  type UnixServer,
} from "./unix-server.ts";

const limitMs = 5000;
const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-socket-"));
let files = 0;
const newPath = () => path.join(folder, `s${++files}`);
const echo = (value: unknown): Answer => ({ ok: true, value });

async function serve(options: Partial<ServerOptions> = {}): Promise<UnixServer> {
  const served = await serveUnix({ path: newPath(), handler: echo, ...options });
  if (!served.ok) throw new Error(served.message);
  return served.server;
}

async function withServer(
  options: Partial<ServerOptions>,
  body: (server: UnixServer) => Promise<void>,
) {
  const server = await serve(options);
  try {
    await body(server);
  } finally {
    await server.close(100);
  }
}

/** Everything that comes back for these bytes until the server ends the connection. */
function talk(file: string, bytes: Buffer | string, halfClose = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: file, allowHalfOpen: true });
    const timer = setTimeout(() => reject(new Error("no end of the connection")), limitMs);
    let text = "";
    socket.on("data", (data) => (text += data.toString()));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.on("end", () => socket.destroy());
    socket.write(bytes);
    if (halfClose) socket.end();
  });
}

function connectIdle(file: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(file);
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

const codeOf = (answer: Answer) => (answer.ok ? "ok" : answer.code);

test("an object is answered, at once or later", async () => {
  const handler = async ({ waitMs }: { waitMs?: unknown }): Promise<Answer> => {
    await new Promise((resolve) => setTimeout(resolve, Number(waitMs)));
    return echo({ waitMs });
  };
  await withServer({ handler }, async ({ path: file }) => {
    assert.equal(await request(file, { waitMs: 0 }, limitMs), echo({ waitMs: 0 }));
    assert.equal(await request(file, { waitMs: 30 }, limitMs), echo({ waitMs: 30 }));
  });
});

test("several requests on one connection are answered in order, one at a time", async () => {
  let running = 0;
  const handler = async (value: object): Promise<Answer> => {
    assert.is(++running, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    return echo(value);
  };
  await withServer({ handler }, async ({ path: file }) => {
    const lines = [1, 2, 3].map((n) => `{"n":${n}}\n`).join("");
    const answers = [1, 2, 3].map((n) => `{"ok":true,"value":{"n":${n}}}\n`).join("");
    assert.is(await talk(file, lines), answers);
  });
});

test("a handler's refusal comes back as it is; one that throws is internal and reported", async () => {
  const faults: unknown[] = [];
  const handler = ({ how }: { how?: unknown }): Answer => {
    if (how === "throw") throw new Error("a fault");
    return { ok: false, code: "wrong-state", message: "not now" };
  };
  const onFault = (error: unknown) => faults.push(error);
  await withServer({ handler, onFault }, async ({ path: file }) => {
    const refused = await request(file, { how: "refuse" }, limitMs);
    assert.equal(refused, { ok: false, code: "wrong-state", message: "not now" });
    assert.is(codeOf(await request(file, { how: "throw" }, limitMs)), "internal");
    assert.is(codeOf(await request(file, { how: "refuse" }, limitMs)), "wrong-state");
    assert.is(faults.length, 1);
  });
});

test("only the owner can connect, from the first moment on, whatever the umask", async () => {
  const umask = process.umask(0);
  const file = path.join(folder, "new", "folder", "s");
  const served = await serveUnix({ path: file, handler: echo });
  process.umask(umask);
  assert.ok(served.ok);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.is(statSync(path.dirname(file)).mode & 0o777, 0o700);
  await served.server.close(100);
});

test("a folder in which others could replace the socket is refused, a sticky one is not", async () => {
  const open = path.join(folder, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  const refused = await serveUnix({ path: path.join(open, "s"), handler: echo });
  assert.is(refused.ok ? "" : refused.code, "folder");
  chmodSync(open, 0o1777);
  const served = await serveUnix({ path: path.join(open, "s"), handler: echo });
  assert.ok(served.ok);
  await served.server.close(100);
});

test("a path that is too long is refused by server and client, the longest is not", async () => {
  const longest = path.join(folder, "x".repeat(107 - folder.length - 1));
  await withServer({ path: longest }, async () => {
    assert.equal(await request(longest, { a: 1 }, limitMs), echo({ a: 1 }));
  });
  const served = await serveUnix({ path: `${longest}x`, handler: echo });
  assert.is(served.ok ? "" : served.code, "path");
  assert.match(served.ok ? "" : served.message, "108 bytes");
  assert.is(codeOf(await request(`${longest}x`, {}, limitMs)), "path");
});

test("a socket that is answered is left alone; a file that is none too", async () => {
  await withServer({}, async ({ path: file }) => {
    const second = await serveUnix({ path: file, handler: echo });
    assert.is(second.ok ? "" : second.code, "in-use");
    assert.equal(await request(file, { still: "here" }, limitMs), echo({ still: "here" }));
  });
  const plain = newPath();
  writeFileSync(plain, "kept");
  const served = await serveUnix({ path: plain, handler: echo });
  assert.is(served.ok ? "" : served.code, "in-use");
  assert.ok(existsSync(plain));
});

test("what a killed server left behind is replaced", async () => {
  const file = newPath();
  const script = `require("net").createServer().listen(${JSON.stringify(file)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const gone = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await gone;
  assert.ok(existsSync(file));
  assert.is(codeOf(await request(file, {}, limitMs)), "unreachable");
  await withServer({ path: file }, async () => {
    assert.equal(await request(file, { a: 1 }, limitMs), echo({ a: 1 }));
  });
  assert.not(existsSync(file));
});

test("a stopped process is not taken for a dead one", async () => {
  const file = newPath();
  const script = `require("net").createServer().listen(${JSON.stringify(file)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGSTOP");
  const served = await serveUnix({ path: file, handler: echo });
  assert.is(served.ok ? "" : served.code, "in-use");
  const began = performance.now();
  assert.is(codeOf(await request(file, {}, 100)), "timeout");
  assert.ok(performance.now() - began < limitMs);
  child.kill("SIGKILL");
});

test("garbage is answered as such and changes nothing", async () => {
  const seen: unknown[] = [];
  const handler = (value: unknown) => echo(seen.push(value));
  await withServer({ handler, requestBytesMax: 1000 }, async ({ path: file }) => {
    for (const bad of ["nonsense\n", "[1]\n", "null\n", "\xff\xfe\n", "{\n"]) {
      assert.match(await talk(file, Buffer.from(bad, "latin1")), '"malformed"');
    }
    assert.is(await talk(file, "\n\n"), "");
    assert.is(await talk(file, '{"no":"end"}'), "");
    assert.match(await talk(file, "x".repeat(2000), false), '"too-large"');
    assert.equal(seen, []);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
        await talk(file, Buffer.from(bytes));
      }),
      { numRuns: 50 },
    );
    assert.equal(await request(file, { good: 1 }, limitMs), echo(1));
  });
});

test("an answer beyond its limit, or that is no JSON, is a refusal", async () => {
  const handler = ({ n }: { n?: unknown }) => echo(n === 0 ? 1n : "x".repeat(Number(n)));
  await withServer({ handler, answerBytesMax: 1000 }, async ({ path: file }) => {
    assert.is(codeOf(await request(file, { n: 900 }, limitMs)), "ok");
    assert.is(codeOf(await request(file, { n: 1000 }, limitMs)), "too-large");
    assert.is(codeOf(await request(file, { n: 0 }, limitMs)), "too-large");
  });
});

test("a handler that does not end is answered for, and the client's own deadline holds", async () => {
  const handler = () => new Promise<Answer>(() => {});
  await withServer({ handler, handlerMs: 50 }, async ({ path: file }) => {
    assert.is(codeOf(await request(file, {}, limitMs)), "timeout");
  });
  await withServer({ handler }, async ({ path: file }) => {
    const began = performance.now();
    assert.is(codeOf(await request(file, {}, 50)), "timeout");
    assert.ok(performance.now() - began < limitMs);
  });
});

test("connections are limited in number and in idle time", async () => {
  await withServer({ connectionsMax: 2, idleMs: 200 }, async ({ path: file }) => {
    const idle = [await connectIdle(file), await connectIdle(file)];
    const closed = Promise.all(
      idle.map((socket) => new Promise((end) => socket.once("close", end))),
    );
    for (const socket of idle) socket.resume();
    assert.is(codeOf(await request(file, {}, limitMs)), "busy");
    await closed;
    assert.is(codeOf(await request(file, {}, limitMs)), "ok");
  });
});

test("a client that trickles bytes or takes no answer is cut off", async () => {
  const big = () => echo("x".repeat(900_000));
  await withServer({ handler: big, idleMs: 200 }, async ({ path: file }) => {
    const deaf = await connectIdle(file);
    deaf.pause();
    deaf.write("{}\n".repeat(5));
    const slow = await connectIdle(file);
    const timer = setInterval(() => slow.writable && slow.write("x"), 20);
    slow.on("error", () => {});
    deaf.on("error", () => {});
    await new Promise((resolve) => slow.resume().once("close", resolve));
    clearInterval(timer);
    // The deaf one's connection is gone at the server: room for all the others.
    assert.is(codeOf(await request(file, {}, limitMs)), "ok");
    deaf.destroy();
  });
});

/** A handler that says when it has begun, and ends when it is let. */
function gatedHandler() {
  let begin = () => {};
  let release = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  const handler = async (): Promise<Answer> => {
    begin();
    await gate;
    return echo("done");
  };
  return { handler, begun, release: () => release() };
}

test("closing lets a request that has begun be answered, and takes no new ones", async () => {
  const { handler, begun, release } = gatedHandler();
  const server = await serve({ handler });
  const idle = await connectIdle(server.path);
  const idleClosed = new Promise((resolve) => idle.resume().once("close", resolve));
  const answer = request(server.path, {}, limitMs);
  await begun;
  const closed = server.close(limitMs);
  await idleClosed;
  assert.is(codeOf(await request(server.path, {}, limitMs)), "unreachable");
  release();
  assert.equal(await answer, echo("done"));
  await closed;
  assert.not(existsSync(server.path));
});

test("closing cuts off what does not end within the deadline", async () => {
  const { handler, begun } = gatedHandler();
  const server = await serve({ handler });
  const answer = request(server.path, {}, limitMs);
  await begun;
  await server.close(50);
  assert.is(codeOf(await answer), "closed");
});

test("nobody there, or no answer but nonsense, is a value", async () => {
  assert.is(codeOf(await request(path.join(folder, "none"), {}, limitMs)), "unreachable");
  const file = newPath();
  const nonsense = net.createServer((socket) => socket.end("hello\n"));
  await new Promise<void>((resolve) => nonsense.listen(file, resolve));
  assert.is(codeOf(await request(file, {}, limitMs)), "malformed");
  nonsense.removeAllListeners("connection").on("connection", (socket) => socket.destroy());
  assert.is(codeOf(await request(file, {}, limitMs)), "closed");
  nonsense.close();
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
