/**
 * Keeps what real DRBD prints in each state, as fixtures for the tests of the provider. Begins and
 * ends with hba paired.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { command, nodes, setCable, until } from "./guests.mjs";
import { changePair, must } from "./site.mjs";

const commands = [
  "drbdsetup events2 --now --statistics hba",
  "drbdsetup status hba --verbose --statistics",
  "drbdsetup status hba --json",
  "drbdsetup show hba",
];
const settleLimitMs = 60_000;

/** Slow enough to be looked at, and back. */
const slow = "drbdsetup disk-options 0 --c-plan-ahead=0 --resync-rate=100k";
const fast = "drbdsetup disk-options 0 --c-plan-ahead=0 --resync-rate=20M";

const reach = (node, wanted) =>
  until(`${node}: ${wanted}`, settleLimitMs, async () =>
    (await must(node, "drbdsetup events2 --now --statistics hba")).includes(wanted),
  );
const connect = async (node) => {
  await must(node, "drbdadm connect hba");
  await reach("tokyo", "replication:Established");
  await reach("osaka", "replication:Established");
};

/** Name, what it means, how it comes about, and how it ends. */
const moments = [
  ["paired", "connected and up to date, tokyo Primary", null, null],
  ["both-secondary", "connected and up to date, nobody Primary",
    () => must("tokyo", "drbdadm secondary hba"), () => must("tokyo", "drbdadm primary hba")],
  ["link-cut", "the cable of the replication pulled",
    async () => {
      await setCable("link", false);
      for (const node of nodes) await reach(node, "connection:Connecting");
    },
    async () => {
      await setCable("link", true);
      for (const node of nodes) await reach(node, "replication:Established");
    }],
  ["resync", "osaka invalidated: everything is copied again",
    async () => {
      for (const node of nodes) await must(node, slow);
      await must("osaka", "drbdadm invalidate hba");
      await reach("tokyo", "replication:SyncSource");
    },
    async () => {
      for (const node of nodes) await must(node, fast);
      await reach("tokyo", "replication:Established");
    }],
  ["split-by-us", "split at tokyo by `mirrorbeat pair`: disconnected, resync paused",
    () => changePair("tokyo", "t-o", "split"), () => changePair("tokyo", "t-o", "resync")],
  ["split-by-hand", "drbdadm disconnect at tokyo", () => must("tokyo", "drbdadm disconnect hba"),
    () => connect("tokyo")],
  ["taken-over", "taken over at osaka by `mirrorbeat pair`", () => changePair("osaka", "t-o", "takeover"), null],
  ["split-brain", "both wrote while apart, and met",
    async () => {
      for (const node of nodes) await must(node, "echo lab | dd of=/dev/drbd0 bs=4096 seek=310 conv=sync,fsync 2>&1"); // biome-ignore format: one line
      await must("osaka", "drbdadm connect hba");
      await reach("tokyo", "connection:StandAlone");
      await reach("osaka", "connection:StandAlone");
    },
    async () => {
      await must("osaka", "drbdadm secondary hba && drbdadm connect --discard-my-data hba");
      await connect("tokyo");
    }],
  ["diskless", "osaka's disk detached", () => must("osaka", "drbdadm detach hba"),
    async () => {
      await must("osaka", "drbdadm attach hba");
      await reach("tokyo", "peer-disk:UpToDate");
    }],
  ["io-suspended", "I/O suspended at osaka", () => must("osaka", "drbdsetup suspend-io 0"),
    () => must("osaka", "drbdsetup resume-io 0")],
  ["down", "osaka's resource down", () => must("osaka", "drbdadm down hba"),
    async () => {
      await must("osaka", "drbdadm up hba");
      await reach("tokyo", "replication:Established");
    }],
]; // biome-ignore format: a table

export async function captureAll(folder, say) {
  mkdirSync(folder, { recursive: true });
  for (const [name, meaning, begin, end] of moments) {
    await begin?.();
    for (const node of nodes) {
      const parts = [`# ${node}: ${meaning}\n`];
      for (const each of commands) {
        const { code, text } = await command(
          node,
          `${each} 2>/tmp/err; rc=$?; echo "#stderr"; cat /tmp/err; exit $rc`,
        );
        parts.push(`$ ${each}\n${text}#exit ${code}\n`);
      }
      writeFileSync(path.join(folder, `${name}-${node}.txt`), parts.join(""));
    }
    await end?.();
    say(`captured ${name}`);
  }
}
