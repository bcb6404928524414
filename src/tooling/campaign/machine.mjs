// One machine of a campaign: the program machine.c in a process of its own, what the machine's init
// would do (the agent runs, and is started again when it ends), and its faults.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ask, nowMs, sleep } from "./ask.mjs";

/** An agent that ends by itself is started again after so long, as systemd would. */
const restartMs = 200;

export class Machine {
  constructor(name, site, parts) {
    this.name = name;
    this.site = site;
    this.parts = parts;
    this.folder = path.join(parts.folder, name);
    mkdirSync(this.folder, { mode: 0o700 });
    this.configFile = path.join(this.folder, "mirrorbeat.toml");
    this.watchdogSocket = path.join(this.folder, "wd");
    this.bootIdFile = path.join(this.folder, "boot_id");
    this.journalFile = path.join(this.folder, "state", "journal.log");
    this.first = null; // process 1, by its pid outside
    this.isBooting = false;
    this.hasBootScript = false;
    this.whenOff = []; // who waits for the machine to be off
    this.agentInner = null; // the agent, by its pid inside
    this.agentSinceMs = 0;
    this.holds = 0; // faults that keep the agent from being started
    this.powerHolds = 0; // faults that keep the machine off
    this.resets = [];
    this.downs = []; // wall time of each end of an agent
    this.fencing = []; // when its watchdog was armed, and when not any more: { isArmed, atMs }
    this.log = [];
    this.isEnding = false;
    this.writeBootId();
    this.process = spawn(
      parts.machineProgram,
      [this.watchdogSocket, String(parts.watchdogLimitMs), this.bootIdFile],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
    this.process.stdin.on("error", () => undefined);
    let rest = "";
    this.process.stdout.on("data", (data) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop();
      for (const line of lines) this.heard(JSON.parse(line));
    });
  }

  writeBootId() {
    writeFileSync(this.bootIdFile, `${randomUUID()}\n`);
  }

  say(line) {
    this.process.stdin.write(`${line}\n`);
  }

  note(text) {
    this.log.push(`${new Date().toISOString()} machine ${this.name}: ${text}`);
    if (this.log.length > 400) this.log.shift();
  }

  heard(news) {
    switch (news.ev) {
      case "on":
        this.first = news.pid;
        this.isBooting = false;
        this.note("powered on");
        return this.startAgent();
      case "off":
        if (this.agentInner !== null) this.downs.push(Date.now());
        this.first = null;
        this.agentInner = null;
        this.hasBootScript = false;
        for (const tell of this.whenOff.splice(0)) tell();
        this.note(`off by ${news.by}`);
        this.resets.push(news);
        this.fencing.push({ isArmed: false, atMs: news.atMs });
        if (news.by === "watchdog") void this.boot(this.parts.bootMs());
        return;
      case "began":
        if (news.name === "agent") {
          this.agentInner = news.inner;
          this.agentSinceMs = nowMs();
        }
        return;
      case "ended":
        if (news.name === "boot") this.hasBootScript = false;
        if (news.name !== "agent") return;
        this.agentInner = null;
        this.downs.push(Date.now());
        this.note(`the agent ended (${news.status})`);
        return void this.restartAgent();
      case "ready":
        this.isFirst = news.first;
        return;
      case "armed":
      case "disarmed":
        this.fencing.push({ isArmed: news.ev === "armed", atMs: news.atMs });
        return this.note(news.ev);
      default:
        this.note(news.ev);
    }
  }

  get isOn() {
    return this.first !== null;
  }

  /** Power on, unless a fault keeps it off. */
  async boot(afterMs = 0) {
    await sleep(afterMs);
    if (this.isOn || this.isBooting || this.isEnding || this.powerHolds > 0) return;
    this.isBooting = true;
    this.writeBootId();
    this.say("on");
  }

  /** Ends when it is off. */
  powerOff() {
    if (!this.isOn && !this.isBooting) return Promise.resolve();
    this.note("power off, by the campaign");
    const off = new Promise((resolve) => this.whenOff.push(resolve));
    this.say("off");
    return off;
  }

  run(name, ...command) {
    this.say([name, path.join(this.folder, `${name}.out`), ...command].join("\t"));
  }

  startAgent() {
    if (!this.isOn || this.holds > 0 || this.agentInner !== null) return;
    this.run("agent", this.parts.program, "run", "--config", this.configFile);
    this.startBootScript();
  }

  /** With each start of an agent: it asks until the gate is open, and then starts the service. */
  startBootScript() {
    if (this.hasBootScript) return;
    this.hasBootScript = true;
    const { program, serviceProgram, serviceLog, everyMs, siteId } = this.parts;
    const socket = path.join(this.folder, "run", "control.sock");
    const gate = `${program} gate --quiet --wait 86400 --config ${this.configFile}`;
    const start = `${serviceProgram} boot ${this.folder} ${serviceLog} ${siteId(this.site)} ${everyMs} ${socket}`;
    this.run("boot", "/bin/sh", "-c", `until ${gate} && ${start}; do sleep 0.1; done`);
  }

  async restartAgent() {
    await sleep(restartMs);
    if (!this.isEnding) this.startAgent();
  }

  /** The agent's pid outside; null where it does not run. */
  agentPid() {
    if (this.first === null || this.agentInner === null) return null;
    try {
      const children = readFileSync(`/proc/${this.first}/task/${this.first}/children`, "utf8");
      for (const pid of children.trim().split(" ")) {
        const status = readFileSync(`/proc/${pid}/status`, "utf8");
        const inner = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
        if (Number(inner) === this.agentInner) return Number(pid);
      }
    } catch {
      // it has just ended
    }
    return null;
  }

  /** Whether there was an agent to be signalled. */
  signalAgent(signal) {
    const pid = this.agentPid();
    if (pid === null) return false;
    try {
      process.kill(pid, signal);
      this.note(`${signal} to its agent`);
      return true;
    } catch {
      return false;
    }
  }

  ask(question, limitMs) {
    return ask(path.join(this.folder, "run", "control.sock"), question, limitMs);
  }

  /** null where no agent answers. */
  async status() {
    if (this.agentInner === null) return null;
    const answer = await this.ask({ op: "status" }, 1000);
    return answer.ok ? answer.value : null;
  }

  async end() {
    this.isEnding = true;
    this.process.stdin.end();
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 3000);
    await this.ended;
    clearTimeout(timer);
  }
}
