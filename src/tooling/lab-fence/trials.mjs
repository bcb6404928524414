/**
 * The trials of one guest: each does something to the fenced service, and then waits, with a
 * deadline, for the machine's reset, or that none comes. Times are of the host's clock, from the
 * mark that the guest writes to its console with the fault, to the reset that its machine tells.
 */
import { prepareAgents, startAgents } from "./agents.mjs";
import { boots, booted, command, must, pause, Teller, textOf, until } from "./guests.mjs";

export const limitMs = 4000;
const leaseMs = 3000;
const periodMs = 1000;
/** The mark is written a moment after the fault; the machine takes a moment to reset. */
const toleranceMs = 1000;
const startLimitMs = 60_000;
const log = "/run/service.log";
const device = "/dev/watchdog0";

const service = "$(cat /run/pid)";
/** Long enough to be told from a single time-out, and shorter than one less a missed meal. */
const deathAfterS = 2;

/**
 * What is done, by when the machine is reset at the latest, and before when not (docs/fencing.md):
 * a service that dies feeds its watchdog once more as the kernel closes it.
 */
const faults = {
  dead: { act: `kill -KILL ${service}; mark`, leastMs: limitMs, mostMs: limitMs },
  stopped: { act: `kill -STOP ${service}; mark`, leastMs: limitMs - periodMs, mostMs: limitMs },
  "hung device": {
    act: "dmsetup suspend --noflush --nolockfs --noudevsync pvol; mark",
    leastMs: limitMs,
    mostMs: leaseMs + periodMs + limitMs,
  },
  "stopped, then dead": {
    act: `kill -STOP ${service}; mark; sleep ${deathAfterS}; kill -KILL ${service}`,
    leastMs: deathAfterS * 1000 + limitMs,
    mostMs: 2 * limitMs,
  },
};

const loadDriver = ({ name, module }) => must(name, `busybox insmod /modboot/${module}.ko`);

/** The volume below a map that can be suspended. */
async function prepare(name) {
  await must(
    name,
    "dmsetup create pvol --noudevsync --noudevrules --table '0 32768 linear /dev/vda 0'",
  );
}

async function startService(name) {
  const program = `node /lab/service.cjs ${device} ${limitMs} ${leaseMs} /dev/dm-0`;
  await must(name, `rm -f ${log}; setsid ${program} </dev/null >${log} 2>&1 & echo $! >/run/pid`);
  await until(`${name}: the service is armed`, startLimitMs, async () => {
    const { text } = await command(name, `cat ${log}`);
    if (/not armed|rror/.test(text)) throw new Error(`${name}: ${text}`);
    return text.includes("ARMED");
  }, 500);
} // biome-ignore format: one condition

const marks = (name) => textOf(`${name}.console`).split("FAULT MARK").length - 1;

export class Trials {
  rows = [];
  #guest;
  #teller;
  #say;
  #begin = this.#beginService;

  constructor(guest, say) {
    this.#guest = guest;
    this.#teller = new Teller(guest.name);
    this.#say = say;
  }

  end() {
    this.#teller.end();
  }

  #tell(trial, promised, measured, isGood) {
    this.rows.push({ watchdog: this.#guest.name, trial, promised, measured, isGood });
    this.#say(`${this.#guest.name}: ${trial}: promised ${promised}, measured ${measured}`);
  }

  /** No reset for so long, while `act` is done. */
  async #none(trial, forMs, act) {
    const before = this.#teller.resets.length;
    const endMs = performance.now() + forMs;
    await act?.();
    const seen = () => this.#teller.resets.length > before;
    while (!seen() && performance.now() < endMs) await pause(50);
    const measured = seen() ? "a reset" : `none in ${(forMs / 1000).toFixed(1)} s`;
    this.#tell(trial, "no reset", measured, !seen());
    if (seen()) throw new Error(`${this.#guest.name}: ${trial}: it was reset`);
  }

  async #reset(trial) {
    const { name } = this.#guest;
    const { act, leastMs, mostMs } = faults[trial];
    const before = this.#teller.resets.length;
    const marked = marks(name);
    // In the background, and later: the order must be answered, or it is given again after the reset.
    const mark = `mark() { echo "FAULT MARK" >/dev/ttyS0; }`;
    await must(name, `${mark}\n( sleep 1; ${act} ) </dev/null >/dev/null 2>&1 &`);
    await until(`${name}: ${trial}: done`, startLimitMs, () => marks(name) > marked, 10);
    const beganMs = Date.now();
    const isReset = () => this.#teller.resets.length > before;
    await until(`${name}: ${trial}: a reset`, mostMs + 20_000, isReset, 10);
    const tookMs = this.#teller.resets[before] - beganMs;
    const isGood = tookMs <= mostMs + toleranceMs && tookMs >= leastMs - toleranceMs;
    const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
    this.#tell(trial, `reset in ${seconds(mostMs)}`, seconds(tookMs), isGood);
  }

  async #resetAndReturn(trial) {
    const { name } = this.#guest;
    const comeUp = boots(name);
    await this.#reset(trial);
    await booted(name, comeUp + 1);
    await this.#begin(this.#guest);
  }

  async #beginService(guest) {
    await loadDriver(guest);
    await prepare(guest.name);
    await startService(guest.name);
  }

  async #beginAgents(guest) {
    await loadDriver(guest);
    await prepareAgents(guest.name);
    await startAgents(guest.name);
    await must(guest.name, "cp /run/t1/mirrorbeat.pid /run/pid");
  }

  /** The program itself under a lease: `mirrorbeat run`, twice. */
  async runAgents() {
    this.#begin = this.#beginAgents;
    await this.#begin(this.#guest);
    await this.#none("fed", 3 * limitMs);
    await this.#resetAndReturn("dead");
    await this.#reset("stopped");
  }

  async run() {
    const { name } = this.#guest;
    await this.#begin(this.#guest);
    await this.#none("fed", 3 * limitMs);
    await this.#none("ended as planned", 2 * limitMs, async () => {
      await must(name, `kill -TERM ${service}`);
      await until(`${name}: disarmed`, startLimitMs, async () =>
        (await must(name, `cat ${log}`)).includes("detail=disarmed"),
      );
    });
    await startService(name);
    await this.#none("machine paused", 2 * limitMs + 1000, async () => {
      this.#teller.order("stop");
      await pause(2 * limitMs);
      this.#teller.order("cont");
    });
    await this.#resetAndReturn("dead");
    await this.#resetAndReturn("stopped");
    await this.#resetAndReturn("hung device");
    await this.#reset("stopped, then dead");
  }
}
