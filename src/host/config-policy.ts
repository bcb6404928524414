/**
 * What a policy presumes of the rest of the configuration. Each is refused when the file is read,
 * with the remedy, because an automatic takeover that lacks one of them is not safe.
 */
import { isLeased, type Policy, type TakeoverConfig } from "../core/base/config.ts";
import type { DataGroupDraft } from "./config-data.ts";
import type { MirrorDraft } from "./config-mirrors.ts";
import type { Reading, Section } from "./config-read.ts";
import { type Draft, type HostDraft, serviceSites, type SiteDraft } from "./config-sites.ts";

/** The agent takes over without a person. */
export function isAutomatic(policy: Policy): boolean {
  return policy !== "notify" && policy !== "operator";
}

/** The host may hold the service: neither a beacon nor a witness. */
export const mayServe = (host: Pick<HostDraft, "beacon">): boolean => host.beacon !== true;

/** Some site has more than one host that may hold the service. */
export function hasSeveralHosts(
  sites: readonly {
    readonly role: string | null;
    readonly hosts: readonly Pick<HostDraft, "beacon" | "enabled">[];
  }[],
): boolean {
  return serviceSites(sites).some(({ hosts }) => {
    return hosts.filter((host) => mayServe(host) && host.enabled === true).length > 1;
  });
}

export type PolicyUse = {
  readonly policy: Policy;
  readonly sites: readonly SiteDraft[];
  readonly mirrors: readonly MirrorDraft[];
  readonly groups: readonly DataGroupDraft[];
  readonly networkEnabled: boolean;
  readonly takeover: Draft<TakeoverConfig>;
};

const orOperator = 'or write policy = "operator"';

/** From one site to the other and back, and nothing else. */
const hasBothWays = (volumes: readonly MirrorDraft[]): boolean => {
  const [first, second] = volumes;
  return (
    volumes.length === 2 && first?.writer === second?.reader && first?.reader === second?.writer
  );
};

function checkWitness(reading: Reading, root: Section, use: PolicyUse): void {
  const { policy, sites, networkEnabled } = use;
  const witness = sites.find((site) => site.role === "witness");
  const volumes = use.mirrors.filter((mirror) => mirror.witness === true);
  if (policy === "witness" && !witness && sites.every((site) => site.role !== null)) {
    if (hasBothWays(volumes)) return;
    const add =
      'add [[sites]] with role = "witness" and one host, or two [[mirrors]] with witness = true, ' +
      "one each way";
    root.fault("policy", `"witness" needs a third site: ${add}, or write policy = "lease"`);
  }
  for (const { label } of policy === "witness" ? [] : volumes) {
    const message = `true is of no use under policy "${policy}"; remove it`;
    reading.fault(`${label}.witness`, message);
  }
  if (policy === "witness" && witness && volumes.length > 0) {
    const message = "true, but there is a witness site too; keep one of the two";
    reading.fault(`${volumes[0]?.label}.witness`, message);
  }
  if (policy !== "witness" && witness) {
    const message = `"witness" is of no use under policy "${policy}"`;
    const remedy = 'write policy = "witness", or remove this site';
    reading.fault(`${witness.label}.role`, `${message}; ${remedy}`);
  }
  if (policy === "witness" && witness && !networkEnabled) {
    root.fault("network", "false, but a witness is reached by the network only; write true");
  }
}

/** Two sites, and a heartbeat mirror each way between them. */
function checkMirrors(root: Section, { policy, sites, mirrors }: PolicyUse): void {
  const names = serviceSites(sites).map((site) => site.name);
  if (names.length > 2) {
    const message = `${names.length} sites may hold the service; policy "${policy}" is for two`;
    root.fault("sites", `${message}: remove one, ${orOperator}`);
  }
  const [one = null, other = null] = names;
  // Where a name is faulty, which way a mirror goes is not known.
  const isKnown = mirrors.every(({ writer, reader }) => writer !== null && reader !== null);
  if (names.length !== 2 || one === null || other === null || !isKnown) return;
  const ways: readonly (readonly [string, string])[] = [
    [one, other],
    [other, one],
  ];
  for (const [writer, reader] of ways) {
    const way = mirrors.filter(
      (mirror) => mirror.writer === writer && mirror.reader === reader && mirror.witness !== true,
    );
    if (way.some((mirror) => mirror.enabled === true)) continue;
    const why = `policy "${policy}" needs two heartbeat mirrors, one each way`;
    const found = `${way.length > 0 ? "no enabled one" : "none"} goes from ${writer} to ${reader}`;
    const remedy =
      way.length > 0
        ? `write enabled = true`
        : `add [[mirrors]] with writer = "${writer}" and reader = "${reader}"`;
    root.fault("mirrors", `${why}, and ${found}; ${remedy}, ${orOperator}`);
  }
}

const devicesField = "takeover.reservation_devices";

function checkArbiter(reading: Reading, { policy, takeover }: PolicyUse): void {
  const refuse = (key: string, why: string, example: string): void => {
    if (reading.isGiven(`takeover.${key}`)) return; // what is wrong with it is told
    const message = `missing; policy "${policy}" ${why}: add ${key} = ${example} to [takeover]`;
    reading.fault(`takeover.${key}`, message);
  };
  if (policy === "reservation" && takeover.reservationDevices?.length === 0) {
    const why = "reserves volumes that both sites reach";
    const example = '["/dev/disk/by-id/..."]';
    if (reading.isGiven(devicesField)) reading.fault(devicesField, `empty; name ${example}`);
    else refuse("reservation_devices", why, example);
  }
  if (policy === "booth" && takeover.boothTicket === null) {
    refuse("booth_ticket", "asks booth for a ticket", '"service"');
  }
  if (policy === "command" && takeover.fenceCommand === null) {
    refuse("fence_command", "asks a program", '["/usr/local/sbin/fence"]');
  }
}

function checkLocal(reading: Reading, { policy, sites, takeover }: PolicyUse): void {
  if (takeover.local !== true) return;
  const field = "takeover.local";
  if (!isLeased(policy)) {
    const message = `true needs a lease and a watchdog, and policy "${policy}" has none`;
    reading.fault(field, `${message}; write policy = "lease" or "witness", or local = false`);
  } else if (!hasSeveralHosts(sites)) {
    const message = "true needs a site with several enabled hosts that may serve, and none has";
    reading.fault(field, `${message}; add [[sites.hosts]], or write local = false`);
  }
}

/** A pair that nobody can ask is never in order, so nothing would ever be taken over. */
function checkGroups(reading: Reading, { policy, groups }: PolicyUse): void {
  for (const { label, pair } of groups) {
    if (pair?.provider !== "none") continue;
    const why = `under policy "${policy}" a data group is taken over by its provider`;
    reading.fault(`${label}.pair`, `missing; ${why}: add [data.pair], ${orOperator}`);
  }
}

export function checkPolicy(reading: Reading, root: Section, use: PolicyUse): void {
  checkWitness(reading, root, use);
  checkLocal(reading, use);
  if (!isAutomatic(use.policy)) return;
  checkMirrors(root, use);
  checkArbiter(reading, use);
  checkGroups(reading, use);
}
