/** What both sites of the laboratory run: keys, configuration, agents, and changes of pairs. */
import { writeFileSync } from "node:fs";
import { command, nodes, until } from "./guests.mjs";

const program = "/dist/mirrorbeat";
export const configFile = "/run/mirrorbeat.toml";
export const journalFile = "/run/mirrorbeat-state/journal.log";
const stateFile = "/run/mirrorbeat/state.json";
/** Everything is slow under emulation. */
const limitMs = 120_000;

export const mirrors = [
  { name: "t-o", writer: "tokyo", reader: "osaka", resource: "hba", device: 0, disk: "/dev/vda" },
  { name: "o-t", writer: "osaka", reader: "tokyo", resource: "hbb", device: 1, disk: "/dev/vdb" },
];

export async function must(node, text) {
  const { code, text: said } = await command(node, text, limitMs);
  if (code !== 0)
    throw new Error(`${node}: ${text.split("\n")[0].slice(0, 80)}: exit ${code}: ${said}`);
  return said;
}

function configText(node) {
  const site = (name, id, role) => `[[sites]]
name = "${name}"
id = ${id}
role = "${role}"
[[sites.hosts]]
name = "${name[0]}1"
slot = 0
address = "10.78.1.${id}:7788"
`;
  const mirror = ({ name, writer, reader, resource, device, disk }) => `[[mirrors]]
name = "${name}"
writer = "${writer}"
reader = "${reader}"
pvol = "/dev/drbd${device}"
svol = "${disk}"
installed = false
[mirrors.pair]
provider = "drbd"
resource = "${resource}"
query_limit_ms = 5000
[mirrors.pair.writer]
identity = "${writer}/${resource}/0:${disk}"
[mirrors.pair.reader]
identity = "${reader}/${resource}/0:${disk}"
`;
  return `cluster = "lab"
host = "${node[0]}1"
key_file = "/run/authkey"
run_folder = "/run/mirrorbeat"
state_folder = "/run/mirrorbeat-state"
[timing]
interval_ms = 1000
pair_poll_ms = 2000
${site("tokyo", 1, "production")}${site("osaka", 2, "standby")}${mirrors.map(mirror).join("")}`;
}

export async function prepareSites() {
  await must("tokyo", `${program} key generate --out /run/authkey`);
  const key = await must("tokyo", "base64 -w0 /run/authkey");
  await must("osaka", `umask 077; echo ${key} | base64 -d >/run/authkey`);
  for (const node of nodes) {
    writeFileSync(`share/${node}.toml`, configText(node));
    await must(node, `cp /lab/${node}.toml ${configFile}`);
    await must(node, `${program} config check --config ${configFile}`);
  }
}

export async function formatVolumes() {
  for (const { writer, reader, device } of mirrors) {
    const sites = `--cluster lab --writer ${writer} --reader ${reader} --slots 4`;
    await must(writer, `${program} format /dev/drbd${device} ${sites} --key /run/authkey --yes`);
  }
}

export async function startAgents() {
  for (const node of nodes) {
    await must(
      node,
      `mkdir -p -m 700 /run/mirrorbeat /run/mirrorbeat-state
      setsid ${program} run --config ${configFile} </dev/null >/run/agent.log 2>&1 &`,
    );
  }
}

export async function stopAgents() {
  for (const node of nodes) {
    await must(node, "kill $(cat /run/mirrorbeat/mirrorbeat.pid)");
    await until(`the agent of ${node} has ended`, limitMs, async () => {
      const { code } = await command(node, "test -e /run/mirrorbeat/mirrorbeat.pid");
      return code !== 0;
    });
  }
}

/** What the agent of a node says of the other site, and of its pairs; null where it says nothing. */
export async function seenAt(node) {
  const { code, text } = await command(node, `cat ${stateFile}`);
  if (code !== 0) return null;
  const status = JSON.parse(text);
  const [site] = status.sites;
  const pairs = status.paths.flatMap(({ path: name, pair }) => (pair ? [[name, pair]] : []));
  const seenPaths = site?.hosts.flatMap(({ paths }) => paths) ?? [];
  return {
    row: site?.row,
    action: site?.action,
    verdict: site?.verdict,
    role: status.role,
    takeover: status.takeover,
    pairs: Object.fromEntries(pairs),
    /** Mirrors over which the other site's beats come. */
    beating: seenPaths
      .filter(({ inUse, status: sight }) => inUse && sight === "ok")
      .map(({ path: name }) => name),
    registered: status.installation.registrations.map(({ mirror }) => mirror),
  };
}

const eventsOf = (node, pattern) => must(node, `grep -E '${pattern}' ${journalFile} || true`);

/** Steps of installing or removing a mirror, as the journal of a node tells them. */
export async function stepsAt(node, mirror) {
  const text = await eventsOf(node, ` ev=mirror mirror=${mirror} `);
  return [...text.matchAll(/ step=(\S+)/g)].map(([, step]) => step);
}

/** How often the journal of a node tells of something that a person should look at. */
export async function alarmsAt(node) {
  const text = await eventsOf(node, "level=(warning|error) ev=(path|verdict|group) ");
  return text.split("\n").filter(Boolean).length;
}

/** `install` or `deinstall` at the writer, asked again while it is refused for the moment. */
export async function bring(node, verb, mirror) {
  const line = `${program} ${verb} ${mirror} --wait 90 --config ${configFile} 2>&1 | tail -n 1`;
  return until(`${verb} ${mirror} begins`, limitMs, async () => {
    const { text } = await command(node, line, limitMs);
    return /try again|wait, or drop/.test(text) ? null : text.trim();
  });
}

const pair = async (node, words) => {
  const { text } = await command(
    node,
    `${program} pair ${words} --json --config ${configFile}`,
    limitMs,
  );
  return JSON.parse(text.split("\n")[0]);
};

/** What `pair query` answers at one end. */
export async function askPair(node, mirror) {
  return (await pair(node, `query ${mirror}`)).answer;
}

/** What a change by the program came to, at one end. */
export const changePair = (node, mirror, verb) => pair(node, `${verb} ${mirror} --yes --force`);
