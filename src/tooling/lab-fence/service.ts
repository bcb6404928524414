/**
 * What runs in a guest of the laboratory: the fence of the agent, as the agent builds it, over
 * block I/O of the agent's own. In the place of the lease it takes its own durable writes: while
 * the last one is younger than LEASE it may be fed, else not.
 *
 *   service WATCHDOG LIMIT_MS LEASE_MS DEVICE
 *
 * Says ARMED once its watchdog is. SIGTERM: it ends in order, with its watchdog disarmed.
 */
import { Fence } from "../../agent/fence.ts";
import { eventText } from "../../core/base/event.ts";
import { timingDefaults } from "../../core/base/timing.ts";
import { openBlockIo } from "../../device/block.ts";
import { realClock } from "../../host/clock.ts";

const [watchdog = "", limitText = "", leaseText = "", device = ""] = process.argv.slice(2);
const watchdogLimitMs = Number(limitText);
const leaseMs = Number(leaseText);
const timing = { ...timingDefaults, leaseMs, watchdogMs: watchdogLimitMs + 1000 };
const blockBytes = 4096;
const openLimitMs = 10_000;
const nowMs = realClock.nowMs;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const fence = new Fence({
  config: { watchdog, watchdogLimitMs, systemd: true },
  timing,
  tell: (event) => say(eventText(event)),
  nowMs,
});

async function beat(): Promise<void> {
  const opened = openBlockIo();
  if (!opened.ok) throw new Error(opened.message);
  const pvol = await opened.io.open(device, "write", openLimitMs);
  if (!pvol.ok) throw new Error(pvol.message);
  const lane = pvol.device.lane(blockBytes);
  if (!lane) throw new Error("no memory for one block");
  let anchorMs = Number.NEGATIVE_INFINITY;
  let saidArmed = false;
  fence.start(() => (nowMs() - anchorMs < leaseMs ? "feed" : "starve"));
  fence.wish("feed");
  fence.ready();
  setInterval(() => {
    if (lane.ownedByKernel) return;
    const beganMs = nowMs();
    void lane.write(0, blockBytes, timing.writeLimitMs).then((outcome) => {
      if (outcome.kind === "done") {
        anchorMs = beganMs;
        fence.wrote();
      } else {
        say(`a write ended as ${outcome.kind}`);
      }
      if (fence.isArmed && !saidArmed) say("ARMED");
      saidArmed ||= fence.isArmed;
    });
  }, timing.intervalMs);
}

process.once("SIGTERM", () => {
  fence.end("off");
  say("ENDED");
  process.exit(0);
});
void beat();
