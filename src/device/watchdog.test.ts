// The stand-ins of a watchdog, and every refusal that needs no device. Real and emulated devices
// are tried in a virtual machine alone: src/tooling/lab-fence.test.ts. Nothing here opens one.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sendUnixDatagram } from "./unix-datagram.ts";
import { distrust, openWatchdog, type Watchdog } from "./watchdog.ts";
import { isSoftware, watchdogAt } from "./watchdog-facts.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-watchdog-"));
const at = (name: string) => path.join(folder, name);

function opened(file: string): Watchdog {
  const result = openWatchdog(file, 2000);
  assert.ok(result.ok, JSON.stringify(result));
  return (result as { watchdog: Watchdog }).watchdog;
}

function refusal(file: string, limitMs = 2000, sysfs?: string): string {
  const result = openWatchdog(file, limitMs, sysfs);
  assert.not(result.ok);
  return result.ok ? "" : result.refusal.message;
}

/** What a reader gets from a FIFO until it is closed. */
function readerOf(file: string): { ended: Promise<string>; kill: () => void } {
  const child = spawn("cat", [file], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
  });
  const ended = new Promise<string>((resolve) => child.on("close", () => resolve(text)));
  return { ended, kill: () => child.kill("SIGKILL") };
}

/** A FIFO's reader opens it when it runs. */
async function openedSoon(file: string): Promise<Watchdog> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    const result = openWatchdog(file, 2000);
    if (result.ok) return result.watchdog;
    assert.ok(performance.now() < endMs, result.refusal.message);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function fakeSysfs(device: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(path.join(folder, "sys-"));
  mkdirSync(path.join(root, "class/watchdog/watchdog7"), { recursive: true });
  mkdirSync(path.join(root, "devices/watchdog/watchdog7"), { recursive: true });
  mkdirSync(path.join(root, "dev/char"), { recursive: true });
  symlinkSync("../../devices/watchdog/watchdog7", path.join(root, "dev/char/1:3"));
  for (const [name, text] of Object.entries(device)) {
    writeFileSync(path.join(root, "class/watchdog/watchdog7", name), `${text}\n`);
  }
  return root;
}

test("a FIFO: fed, disarmed, and its reader told of both", async () => {
  const file = at("fifo");
  execFileSync("mkfifo", [file]);
  assert.match(refusal(file), /nobody reads this pipe; start its reader/);
  const reader = readerOf(file);
  const watchdog = await openedSoon(file);
  assert.is(watchdog.kind, "pipe");
  assert.is(watchdog.limitMs, 2000);
  assert.is(watchdog.feed(), null);
  assert.is(watchdog.feed(), null);
  assert.is(watchdog.disarm(), null);
  assert.is(await reader.ended, "++V");
  assert.match(watchdog.feed() ?? "", /given back/);
  assert.is(watchdog.disarm(), null, "twice is no fault");
});

test("a reader that is gone, and one that does not read, are told and never block", async () => {
  const file = at("stuck");
  execFileSync("mkfifo", [file]);
  const sleeper = spawn("sh", ["-c", 'exec sleep 60 <"$0"', file], { stdio: "ignore" });
  const watchdog = await openedSoon(file);
  let fault: string | null = null;
  for (let fed = 0; fed < 1 << 21 && fault === null; fed++) fault = watchdog.feed();
  assert.is(fault, `${file}: its pipe is full: nobody reads it`);
  const ended = new Promise((resolve) => sleeper.on("close", resolve));
  sleeper.kill("SIGKILL");
  await ended;
  assert.is(watchdog.feed(), `${file}: its reader is gone`);
  assert.match(watchdog.disarm() ?? "", /cannot be disarmed \(EPIPE\)/);
});

test("a unix stream socket does as well", async () => {
  const file = at("socket");
  let text = "";
  const server = net.createServer((socket) => {
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("end", () => server.close());
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  const watchdog = opened(file);
  assert.is(watchdog.feed(), null);
  const closed = new Promise((resolve) => server.on("close", resolve));
  assert.is(watchdog.disarm(), null);
  await closed;
  assert.is(text, "+V");
});

test("what is no watchdog is refused by name, without being opened where that can be told", () => {
  writeFileSync(at("plain"), "");
  assert.is(refusal(at("plain")), `${at("plain")}: no device, pipe or socket`);
  assert.is(refusal(at("missing")), `${at("missing")}: no watchdog is there`);
  assert.is(refusal("/dev/null"), "/dev/null: a device, but no watchdog");
  const sysfs = fakeSysfs({ identity: "Other" });
  assert.match(refusal("/dev/null", 2000, sysfs), /^\/dev\/null: no watchdog \(E\w+\)/);
  assert.match(refusal("/dev/null", 999, sysfs), /whole seconds: set it to 1000 or more/);
  const long = at("x".repeat(250));
  assert.match(refusal(long), /no watchdog is there/);
});

test("what sysfs tells, with nothing opened", () => {
  const sysfs = fakeSysfs({
    identity: "Software Watchdog",
    state: "inactive",
    nowayout: "0",
    timeout: "60",
    max_timeout: "65535",
  });
  assert.equal(watchdogAt("/dev/null", sysfs), {
    kind: "device",
    facts: {
      name: "watchdog7",
      identity: "Software Watchdog",
      state: "inactive",
      noWayOut: false,
      timeoutS: 60,
      timeoutMinS: null,
      timeoutMaxS: 65535,
    },
  });
  assert.ok(isSoftware("Software Watchdog"));
  assert.not(isSoftware("i6300ESB timer"));
});

test("a device that waits too long, only alarms, or stops with its holder is not trusted", () => {
  const magic = 0x8180;
  assert.is(distrust(5, 5, magic, false), null);
  assert.is(distrust(5, 4, magic, null), null);
  assert.match(distrust(5, 6, magic, false) ?? "", /waits 6 s, longer than 5 s: .* to 6000/);
  assert.match(distrust(5, 5, magic | 0x400, true) ?? "", /only raises an alarm/);
  assert.match(distrust(5, 5, 0x8080, false) ?? "", /stopped when the program .* nowayout=1/);
  assert.match(distrust(5, 5, 0x8080, null) ?? "", /nowayout=1/);
  assert.is(distrust(5, 5, 0x8080, true), null);
});

test("datagrams: to nobody and to an address that is none, told and not thrown", () => {
  assert.match(sendUnixDatagram(at("nobody"), "READY=1") ?? "", /ENOENT$/);
  assert.match(sendUnixDatagram("@mirrorbeat-nobody", "READY=1") ?? "", /ECONNREFUSED$/);
  assert.match(sendUnixDatagram("/".repeat(109), "x") ?? "", /109 bytes/);
  assert.match(sendUnixDatagram(at("nobody"), "x".repeat(600)) ?? "", /600 bytes is too long/);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
