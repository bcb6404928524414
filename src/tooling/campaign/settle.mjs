// After each round of faults, once all is healed: the cluster must settle by itself, with one site
// active and the other one ready to take over. What it says it cannot do by itself the campaign
// does, as an operator would by what status says; what then does not settle is stuck.
import { nowMs, sleep } from "./ask.mjs";

const lookEveryMs = 150;
/** Longest between two records of a service that runs. */
const servingMs = 500;
const operatorLimitMs = 20_000;

const unmet = (status) => status.right.needs.filter(({ met, id }) => !met && id !== "wait");

/** Why the cluster is not settled; null where it is. */
export function unsettled(statuses, activeSite, siteId) {
  const silent = statuses.filter(({ status }) => status === null);
  if (silent.length > 0) return `${silent.map(({ name }) => name).join(", ")} does not answer`;
  const active = statuses.filter(({ status }) => status.role === "active");
  if (active.length !== 1) return `${active.length} active`;
  const [one] = active;
  if (activeSite !== siteId(one.site)) return `the service of ${one.name} does not write`;
  if (!one.status.right.guarded) return `${one.name} is not under its lease`;
  const other = statuses.find(({ name }) => name !== one.name);
  if (other.status.role !== "standby") return `${other.name} is ${other.status.role}`;
  if (!other.status.right.grants) return `${other.name} does not grant`;
  const missing = unmet(other.status);
  return missing.length === 0 ? null : `${other.name}: ${missing[0].text}`;
}

/** Where an operator would give the command again, by what status says; null: wait. */
const halted = (statuses) =>
  statuses.find(({ status }) => status?.role === "transitioning") ?? null;

export class Settling {
  constructor(scene, judge, limits) {
    this.scene = scene;
    this.judge = judge;
    this.limits = limits;
    this.operatorActs = {};
    this.timesMs = []; // each wait
    this.slow = {}; // what was waited for when patience ended
  }

  async look() {
    const { world } = this.scene;
    const statuses = await Promise.all(
      world.machines.map(async (machine) => {
        const { name, site } = machine;
        return { name, site, machine, status: await machine.status() };
      }),
    );
    const activeSite = this.judge.activeSite(nowMs(), servingMs);
    const torn = await this.scene.links.mend(activeSite);
    const why = unsettled(statuses, activeSite, world.siteId);
    return { statuses, why: why ?? (torn.length > 0 ? `${torn.join(", ")} not paired` : null) };
  }

  /** null once it settled, else why it did not in time. */
  async wait() {
    const beganMs = nowMs();
    let actedMs = beganMs;
    let last = "";
    while (nowMs() - beganMs < this.limits.stuckMs) {
      const { statuses, why } = await this.look();
      if (this.judge.overlaps.length > 0) return null;
      if (why === null) {
        this.timesMs.push(nowMs() - beganMs);
        return null;
      }
      last = why;
      if (nowMs() - actedMs > this.limits.patienceMs) {
        actedMs = nowMs();
        this.slow[why] = (this.slow[why] ?? 0) + 1;
        await this.act(halted(statuses));
      }
      await sleep(lookEveryMs);
    }
    return last;
  }

  async act(part) {
    if (!part) return;
    const { machine, status } = part;
    const answer = await machine.ask({ op: "takeover", force: false }, operatorLimitMs);
    const { code, message = "" } = answer.value ?? answer;
    const reason = status.roleReason.replaceAll(/\d+/g, "N").slice(0, 90);
    const key = `${reason} -> ${code}`;
    this.operatorActs[key] = (this.operatorActs[key] ?? 0) + 1;
    // The newer data is at the other end: it is copied back, as the answer says.
    const copies = /copy it back/.test(`${message} ${status.roleReason}`);
    if (copies) await this.scene.world.copier("data", "swap", { force: true });
    machine.note(`operator: takeover, for ${status.roleReason}: ${code} ${message}`);
  }
}
