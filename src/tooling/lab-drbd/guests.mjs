/**
 * The two guests of the DRBD laboratory, the cables between them, and the disks that DRBD lies on.
 * They reach nothing but each other.
 */
import { rmSync } from "node:fs";
import { booted, end as endGuest, machine, start } from "../lab-guest/guests.mjs";

export { command, pause, processOf, until } from "../lab-guest/guests.mjs";

export const nodes = ["tokyo", "osaka"];
const disks = ["a", "b"];
const diskBytes = 16 << 20;
const cables = ["lan", "link"];

function cable(name, node, peer, number, mac) {
  const ends = `local.type=unix,local.path=${name}.${node},remote.type=unix,remote.path=${name}.${peer}`;
  const card = `virtio-net-pci,netdev=${name},mac=52:54:00:00:0${mac}:0${number}`;
  return ["-netdev", `dgram,id=${name},${ends}`, "-device", card];
}

const removeCables = (node) => {
  for (const name of cables) rmSync(`${name}.${node}`, { force: true });
};

/** Boots both with empty disks. */
export async function boot(image, dist) {
  for (const node of nodes) {
    removeCables(node);
    const number = nodes.indexOf(node) + 1;
    const peer = nodes[2 - number];
    const wires = cables.flatMap((name, at) => cable(name, node, peer, number, at + 1));
    const more = ["-no-reboot", ...wires];
    start(node, image, dist, { disks, diskBytes, words: `i=${number}`, more });
  }
  for (const node of nodes) await booted(node);
}

/** Ends the guests, by their own process ids. */
export async function end() {
  for (const node of nodes) {
    await endGuest(node, disks);
    removeCables(node);
  }
}

/** Pulls or plugs a cable at both ends. */
export async function setCable(name, isUp) {
  for (const node of nodes) await machine(node, "set_link", { name, up: isUp });
}
