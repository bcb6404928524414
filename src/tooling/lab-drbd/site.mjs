/** What both sites of the laboratory run: keys, configuration, agents, and a driver of pairs. */
import { build } from "esbuild";
import path from "node:path";
import { commonOptions } from "../esbuild-options.mjs";
import { command, nodes, until } from "./guests.mjs";

const program = "/dist/mirrorbeat";
export const configFile = "/run/mirrorbeat.toml";
const stateFile = "/run/mirrorbeat/state.json";
/** Everything is slow under emulation. */
const limitMs = 120_000;

export const mirrors = [
  { name: "t-o", writer: "tokyo", reader: "osaka", resource: "hba", device: 0, disk: "/dev/vda" },
  { name: "o-t", writer: "osaka", reader: "tokyo", resource: "hbb", device: 1, disk: "/dev/vdb" },
];

export async function must(node, text) {
  const { code, text: said } = await command(node, text, limitMs);
  if (code !== 0) throw new Error(`${node}: ${text.split("\n")[0]}: exit ${code}: ${said}`);
  return said;
}

const put = (node, file, bytes, mode = "600") =>
  must(node, `echo ${Buffer.from(bytes).toString("base64")} | base64 -d >${file} && chmod ${mode} ${file}`); // biome-ignore format: one line

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

/** `project` is the source tree; the driver is made from it. */
export async function prepareSites(project) {
  await must("tokyo", `${program} key generate --out /run/authkey`);
  const key = await must("tokyo", "base64 -w0 /run/authkey");
  await put("osaka", "/run/authkey", Buffer.from(key, "base64"));
  const made = await build({
    ...commonOptions,
    absWorkingDir: project,
    entryPoints: ["src/remotecopy/drbd/testing/drive.ts"],
    define: { MIRRORBEAT_VERSION: '"lab"' },
    outfile: path.join(project, ".build/lab-drbd/drive.cjs"),
    sourcemap: false,
    minify: true,
    write: false,
  });
  for (const node of nodes) {
    await put(node, configFile, configText(node));
    await put(node, "/run/drive.cjs", made.outputFiles[0].contents);
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
  return {
    row: site?.row,
    action: site?.action,
    verdict: site?.verdict,
    role: status.role,
    pairs: Object.fromEntries(pairs),
  };
}

/** One question or change by the provider itself, at one end of a pair. */
export async function drive(node, mirrorName, verb, force = "") {
  const mirror = mirrors.find(({ name }) => name === mirrorName);
  const end = mirror.writer === node ? "writer" : "reader";
  const said = await must(node, `node /run/drive.cjs ${end} ${mirror.resource} ${verb} ${force}`);
  return JSON.parse(said);
}
