// stand-in.mjs FOLDER SITE symrdf|symdg|syminq ARGUMENTS...: answers as Solutions Enabler at one of
// two sites, as far as its XML is documented. All it knows is FOLDER/state.json; it shares no code
// with the provider.
//
// state.json: { group, rdfg, mode, pairState, syncedAtMs, faults: {NAME: true}, sites: {SITE:
// { type, symid, devices } } }
import { readFileSync, renameSync, writeFileSync } from "node:fs";

const [folder, siteName, tool, ...words] = process.argv.slice(2);
const file = `${folder}/state.json`;
const state = JSON.parse(readFileSync(file, "utf8"));
const { faults, sites } = state;
const site = sites[siteName];
const stop = (code, text) => {
  process.stderr.write(`\n${text}\n\n`);
  process.exit(code);
};
const save = () => {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(state));
  renameSync(`${file}.${process.pid}`, file);
};

const takeOption = (name) => {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words.splice(at, 2)[1];
};
const takeFlag = (name) => {
  const at = words.indexOf(name);
  if (at >= 0) words.splice(at, 1);
  return at >= 0;
};

const element = (name, value, indent = "  ") =>
  Array.isArray(value)
    ? `${indent}<${name}>\n${value.map((line) => `  ${line}`).join("\n")}\n${indent}</${name}>`
    : `${indent}<${name}>${value}</${name}>`;
const within = (name, ...lines) =>
  element(
    name,
    lines.flatMap((line) => line.split("\n")),
  );

function print(...groups) {
  const body = within("SymCLI_ML", ...groups).replaceAll(/^ {2}/gm, "");
  const text = `<?xml version="1.0" standalone="yes" ?>\n${body}\n`;
  if (faults.truncated) process.stdout.write(text.slice(0, text.length / 2));
  else if (faults.garbage) process.stdout.write("Symmetrix <<< 0x00000000 &&& >>>\n");
  else process.stdout.write(text);
}

const [r1, r2] = ["RDF1", "RDF2"].map((type) =>
  Object.values(sites).find((one) => one.type === type),
);
const stateNow = () =>
  state.pairState === "SyncInProg" && Date.now() >= state.syncedAtMs
    ? "Synchronized"
    : state.pairState;
const deviceOf = (one, index) => {
  const names = faults.otherVolume && one === site ? ["009F1", "009F2"] : one.devices;
  return names[index];
};

function query() {
  const pairs = r1.devices.map((_, index) =>
    within(
      "RDF_Pair",
      within("Source", element("dev_name", deviceOf(r1, index))),
      within("Target", element("dev_name", deviceOf(r2, index))),
      element("mode", state.mode),
      element("pair_state", faults.mixed && index === 1 ? "Suspended" : stateNow()),
    ),
  );
  const info = within("DG_Info", element("name", state.group), element("type", site.type));
  print(within("DG", info, ...pairs));
}

function verify() {
  const wanted = { "-synchronized": "Synchronized", "-consistent": "Consistent" }[words[0]];
  const holds = stateNow() === wanted && !faults.mixed && !faults.contradicts;
  process.stdout.write(`\n${holds ? "All" : "None"} of the devices are in '${wanted}' state.\n`);
  process.exitCode = holds ? 0 : 4;
}

const copy = () => {
  Object.assign(state, { pairState: "SyncInProg", syncedAtMs: Date.now() + 200 });
};
const changes = {
  suspend: [["Synchronized", "SyncInProg"], () => (state.pairState = "Suspended")],
  resume: [["Suspended"], copy],
  establish: [["Suspended", "Split"], copy],
  failover: [
    ["Synchronized", "Suspended", "Split", "Partitioned"],
    () => (state.pairState = "Failed Over"),
  ],
};

function change(name) {
  if (!takeFlag("-noprompt")) stop(1, "This stand-in answers no questions");
  if (faults.lies) return;
  const [from, make] = changes[name];
  if (!from.includes(stateNow())) {
    stop(27, "The device(s) are not in a valid RDF state for this operation");
  }
  make();
  save();
  if (faults.killed) process.kill(process.pid, "SIGKILL");
  if (faults.fails) stop(1, "A time out occurred while the operation was in progress");
}

if (faults.hang === siteName) setInterval(() => undefined, 60_000);
else {
  const group = takeOption("-g");
  if (tool !== "syminq" && group !== state.group) stop(1, "The device group could not be found");
  const xml = takeOption("-output");
  if (tool === "syminq") {
    const rows = site.devices.map((_, index) =>
      within(
        "Inquiry",
        within(
          "Dev_Info",
          element("pd_name", `/dev/sd${"bc"[index]}`),
          element("dev_name", deviceOf(site, index)),
          element("symid", site.symid),
        ),
        within("Product", element("vendor", "EMC")),
      ),
    );
    const other = within("Inquiry", within("Dev_Info", element("pd_name", "/dev/sda")));
    print(other, ...rows);
  } else if (tool === "symdg") {
    const rows = site.devices.map((_, index) =>
      within("Device", within("Dev_Info", element("dev_name", deviceOf(site, index)))),
    );
    print(within("DG", ...rows));
  } else {
    if (takeOption("-rdfg") !== String(state.rdfg)) stop(1, "The RDF group could not be found");
    takeOption("-i");
    takeOption("-c");
    const name = words.find((word) => !word.startsWith("-"));
    words.splice(words.indexOf(name), 1);
    if (name === "query" && xml === "xml_e") query();
    else if (name === "verify") verify();
    else if (name in changes) change(name);
    else stop(1, "Invalid arguments");
  }
}
