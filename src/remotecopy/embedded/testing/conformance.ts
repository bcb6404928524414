/**
 * The embedded copy for the conformance suite: a process of its own on real volumes, stopped,
 * killed and started again. What its process cannot be made to say, a server in its place says.
 *
 * The providers' socket is a link, to the process or to that server. The test file that uses this
 * is the process as well: it hands itself over to `copyChild` when it is started with `childWord`.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { renameSync, symlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { pairSettings } from "../../../core/base/pair-settings.ts";
import type { BenchMade, ConformanceBench, Fault } from "../../testing/conformance-bench.ts";
import { askCopy } from "../../embedded.ts";
import { openProvider } from "../../open-provider.ts";
import { realClock } from "../../../host/clock.ts";
import type { MirrorEnd } from "../../evidence.ts";
import type { CommandName } from "../command.ts";
import { runCopy } from "../serve.ts";
import { Folder, until } from "./bench.ts";

export const childWord = "embedded-copy-child";
const blocks = 64;
const blockBytes = 4096;
const askMs = 10_000;
const linkTimeoutMs = 300;

type Child = { readonly process: ChildProcess; readonly ended: Promise<void> };

/** The process: `childWord CONTROL PVOL SVOL BEGIN`. */
export async function copyChild(args: readonly string[]): Promise<void> {
  const [control = "", pvol = "", svol = "", begin] = args;
  const options = {
    control, pvol, svol, linkTimeoutMs,
    scanMs: 5, lagMs: 0, tearMs: 0, autoResync: false, force: true,
    simplex: begin === "simplex",
    onState: () => undefined,
    onFault: (error: unknown) => console.error(error),
  }; // biome-ignore format: one list
  const end = await runCopy(options, new Promise(() => undefined));
  if (end.refusal) console.error(end.refusal.message);
  process.exit(end.code);
}

/** Says something else than the process would, having asked it or not. */
type Liar = (line: string, socket: net.Socket, ask: () => Promise<string>) => Promise<void>;

const isQuestion = (line: string): boolean => line.includes('"query"');
const answerOf = (value: unknown): string => `${JSON.stringify(value)}\n`;

const liars = {
  garbage: async (_line, socket) => void socket.end(Buffer.from("\xff\0 paired } {\n", "latin1")),
  truncated: async (_line, socket, ask) => {
    const whole = await ask();
    socket.end(whole.slice(0, whole.length / 2));
  },
  killedInMidCommand: async (line, socket, ask) => {
    const whole = await ask();
    if (isQuestion(line)) socket.end(whole);
    else socket.destroy();
  },
  failsAfterEffect: async (line, socket, ask) => {
    const whole = await ask();
    const failed = answerOf({ ok: false, code: "failed", message: "an error of the array" });
    socket.end(isQuestion(line) ? whole : failed);
  },
  liesOfSuccess: async (line, socket, ask) => {
    socket.end(isQuestion(line) ? await ask() : answerOf({ ok: true, value: {} }));
  },
} as const satisfies Readonly<Record<string, Liar>>;

class CopyWorld {
  readonly folder = new Folder();
  private readonly real = path.join(this.folder.path, "real.sock");
  readonly control = path.join(this.folder.path, "copy.sock");
  readonly volumes: Readonly<Record<MirrorEnd, string>>;
  private readonly strangers: readonly [string, string];
  private child: Child | null = null;
  private links = 0;

  constructor(makeVolume: (folder: Folder) => string) {
    this.volumes = { writer: makeVolume(this.folder), reader: makeVolume(this.folder) };
    this.strangers = [this.folder.file(blocks), this.folder.file(blocks)];
    this.linkTo(this.real);
  }

  /** Providers may look at any moment: the link is never missing. */
  private linkTo(target: string): void {
    const fresh = `${this.control}.${++this.links}`;
    symlinkSync(target, fresh);
    renameSync(fresh, this.control);
  }

  async start(begin: "simplex" | "paired", pvol = this.volumes.writer, svol = this.volumes.reader) {
    const args = [process.argv[1] ?? "", childWord, this.real, pvol, svol, begin];
    const started = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    const ended = new Promise<void>((resolve) => started.on("exit", () => resolve()));
    this.child = { process: started, ended };
    await until("the copy answers", async () => (await this.tell("query")).ok);
  }

  tell(name: CommandName) {
    return askCopy(this.real, { name, ms: 0 }, askMs);
  }

  async kill(): Promise<void> {
    this.child?.process.kill("SIGKILL");
    await this.child?.ended;
    this.child = null;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.child?.process.kill(name);
  }

  async reset(): Promise<void> {
    if (!this.child) return this.start("simplex");
    for (const name of ["heal", "delete"] as const) await this.tell(name);
  }

  /** Another pair of volumes under the same socket. */
  readonly strangersInstead: Fault = async () => {
    await this.kill();
    await this.start("paired", ...this.strangers);
    return async () => {
      await this.kill();
      await this.start("paired");
    };
  };

  lying(lie: Liar): Fault {
    return async () => {
      const file = path.join(this.folder.path, "liar.sock");
      const server = net.createServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", (data) => {
          const line = data.toString();
          void lie(line, socket, () => this.askRaw(line));
        });
      });
      await new Promise<void>((resolve) => server.listen(file, resolve));
      this.linkTo(file);
      return async () => {
        this.linkTo(this.real);
        await new Promise((resolve) => server.close(resolve));
      };
    };
  }

  private askRaw(line: string): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      const socket = net.connect(this.real, () => socket.write(line));
      socket.setTimeout(askMs, () => socket.destroy());
      socket.on("data", (data) => {
        text += data.toString();
        if (text.endsWith("\n")) socket.destroy();
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(text));
    });
  }

  async write(end: MirrorEnd, block: number, bytes: Buffer): Promise<void> {
    const handle = await open(this.volumes[end], "r+");
    await handle.write(bytes, 0, blockBytes, block * blockBytes);
    await handle.datasync().finally(() => handle.close());
  }

  async read(end: MirrorEnd, block: number): Promise<Buffer> {
    const handle = await open(this.volumes[end], "r");
    const bytes = Buffer.alloc(blockBytes);
    await handle.read(bytes, 0, blockBytes, block * blockBytes).finally(() => handle.close());
    return bytes;
  }
}

async function openEnd(world: CopyWorld, end: MirrorEnd) {
  const settings = { control: world.control, query_limit_ms: 1000, change_limit_ms: askMs };
  const pair = { provider: "embedded", writer: settings, reader: settings } as const;
  const { writer: pvol, reader: svol } = world.volumes;
  const opened = await openProvider(
    { name: "conformance", pvol, svol, pair },
    end,
    realClock.nowMs,
  );
  if (!opened) throw new Error(`no provider of ${Object.keys(pairSettings)[0]}`);
  return opened;
}

async function benchOn(title: string, makeVolume: (folder: Folder) => string): Promise<BenchMade> {
  const world = new CopyWorld(makeVolume);
  await world.start("simplex");
  const faults: ConformanceBench["faults"] = {
    cutLink: async () => {
      await world.tell("cut");
      return async () => void (await world.tell("heal"));
    },
    hang: async () => {
      world.signal("SIGSTOP");
      return async () => world.signal("SIGCONT");
    },
    dead: async () => {
      await world.kill();
      return () => world.start("paired");
    },
    garbage: world.lying(liars.garbage),
    truncated: world.lying(liars.truncated),
    killedInMidCommand: world.lying(liars.killedInMidCommand),
    failsAfterEffect: world.lying(liars.failsAfterEffect),
    liesOfSuccess: world.lying(liars.liesOfSuccess),
    mixedGroup: null,
    otherVolume: world.strangersInstead,
  };
  const bench: ConformanceBench = {
    title,
    ends: { writer: await openEnd(world, "writer"), reader: await openEnd(world, "reader") },
    data: {
      write: (end, block, bytes) => world.write(end, block, bytes),
      read: (end, block) => world.read(end, block),
    },
    faults,
    reset: () => world.reset(),
    end: async () => {
      await world.kill();
      world.folder.remove();
    },
  };
  return { ok: true, bench };
}

export const makeBench = (): Promise<BenchMade> =>
  benchOn("a process of its own on plain files", (folder) => folder.file(blocks));

export async function makeLoopBench(): Promise<BenchMade> {
  if (process.getuid?.() !== 0) return { ok: false, reason: "needs root" };
  try {
    execFileSync("losetup", ["-f"], { stdio: "pipe" });
  } catch {
    return { ok: false, reason: "needs loop devices" };
  }
  return benchOn("a process of its own on loop devices", (folder) => folder.loop(512, blocks));
}
