/** What Solutions Enabler says and what it means, whole and damaged. */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { damaged } from "../testing/damage.ts";
import { meaningOf } from "./meaning.ts";
import { parseDevices, parseInquiry, parseQuery } from "./parse.ts";
import { readXml, textAt, xmlLimits } from "./xml.ts";

const folder = "fixtures/remotecopy/srdf";
const read = (file: string): string => readFileSync(`${folder}/${file}`, "utf8");
const sample = (name: string): string => read(`${name}.query.xml`);

function told(text: string) {
  const query = parseQuery(text);
  return query ? meaningOf(query) : null;
}
const stateOf = (text: string): string => {
  const meaning = told(text);
  if (!meaning) return "none";
  return "ok" in meaning ? meaning.class : meaning.state;
};

/** Sample, state, role, readable, writable, inSync. */
const golden = [
  ["r1-synchronized", "paired", "primary", true, true, true],
  ["r2-synchronized", "paired", "secondary", true, false, null],
  ["r1-consistent", "paired", "primary", true, true, null],
  ["r2-consistent", "paired", "secondary", true, false, null],
  ["r1-entities", "paired", "primary", true, true, true],
  ["r1-adaptive", "unknown", "primary", null, null, null],
  ["r1-async-synchronized", "unknown", "primary", null, null, null],
  ["r1-syncinprog", "copying", "primary", true, true, false],
  ["r1-suspended", "suspended-by-operator", "primary", true, true, false],
  ["r2-suspended", "suspended-by-operator", "secondary", null, false, false],
  ["r2-split", "suspended-by-operator", "secondary", true, true, false],
  ["r1-failedover", "takeover", "primary", true, false, false],
  ["r2-failedover", "takeover", "secondary", true, true, false],
  ["r1-partitioned", "unknown", "primary", null, null, null],
  ["r1-r1updated", "unknown", "primary", null, null, null],
  ["r1-invalid", "unknown", "primary", null, null, null],
  ["r1-newword", "unknown", "primary", null, null, null],
  ["r21-synchronized", "unknown", "unknown", null, null, null],
] as const; // biome-ignore format: a table

test("each sample means what it says; pairs that differ are a mixed group", () => {
  for (const [name, state, role, readable, writable, inSync] of golden) {
    const view = told(sample(name));
    if (!view || "ok" in view) throw new Error(`${name}: ${JSON.stringify(view)}`);
    const seen = [view.state, view.role, view.readable, view.writable, view.inSync];
    assert.equal(seen, [state, role, readable, writable, inSync], name);
    assert.is(view.cause !== "", state === "unknown" || state === "takeover", name);
  }
  assert.is(stateOf(sample("r1-mixed")), "mixed-group");
  const modes = sample("r1-synchronized").replace("<mode>Synchronous", "<mode>Asynchronous");
  assert.is(stateOf(modes), "mixed-group");
  assert.is(stateOf(sample("r1-invalid").replace("Invalid", "Mixed")), "mixed-group");
  const samples = readdirSync(folder).filter((file) => file.endsWith(".query.xml"));
  assert.is(golden.length + 1, samples.length, "each sample is in the table");
});

test("devices of the group, and what the host sees", () => {
  assert.equal(parseDevices(read("group.ld.xml")), ["001A1", "001A2"]);
  const seen = parseInquiry(read("host.inquiry.xml"));
  assert.equal(
    seen?.map(({ path }) => path),
    ["/dev/sdb", "/dev/sdd", "/dev/sdc"],
  );
  assert.is(seen?.[0]?.symid, "000197900001");
  assert.is(parseDevices(read("group.ld.xml").replaceAll("001A2", "001A1")), null);
  assert.is(parseInquiry("<SymCLI_ML></SymCLI_ML>"), null);
});

test("what is missing, twice or of another group of elements: not understood", () => {
  const whole = sample("r1-synchronized");
  for (const line of whole
    .split("\n")
    .filter((text) => /<(name|type|mode|dev_name|pair_state)>/.test(text))) {
    assert.is(parseQuery(whole.replace(`${line}\n`, "")), null, `without ${line}`);
    assert.is(parseQuery(whole.replace(`${line}\n`, `${line}\n${line}\n`)), null, `${line} twice`);
  }
  assert.is(parseQuery(whole.replaceAll("RDF_Pair", "RDF_Pear")), null);
  assert.is(parseQuery(whole.replaceAll("SymCLI_ML", "html")), null);
  assert.is(parseQuery(whole.replaceAll("001A2", "001A1")), null, "one device, two pairs");
});

test("XML: entities are read, all that is not expected is refused", () => {
  const text = (xml: string): string | null => {
    const root = readXml(xml);
    return root && textAt(root);
  };
  assert.is(text("<a> R1 &amp; &lt;R2&gt; &#65;&#x42; </a>"), "R1 & <R2> AB");
  assert.is(text('<?xml version="1.0" standalone="yes" ?>\n<a>b</a>\n'), "b");
  const refused = [
    "", "a", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>b", "b<a/>", "<a>b<c/></a>", "<a b='c'/>",
    '<a b="c"/>', "<a>&nbsp;</a>", "<a>&amp</a>", "<a>&#0;</a>", "<a>&#x110000;</a>", "<a>&</a>",
    "<!DOCTYPE a><a/>", "<a><!-- b --></a>", "<a><![CDATA[b]]></a>", "<a><?b c?></a>", "<a>\u0000</a>",
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a>\ufffd</a>", "< a/>", "<a//>", "</a/>",
    `${"<a>".repeat(xmlLimits.depth + 2)}${"</a>".repeat(xmlLimits.depth + 2)}`,
    `<a>${"<b/>".repeat(xmlLimits.elements)}</a>`, `<a>${" ".repeat(xmlLimits.characters)}</a>`,
  ]; // biome-ignore format: a list
  for (const xml of refused) assert.is(readXml(xml), null, xml.slice(0, 80));
});

test("hostile lengths take no long time", () => {
  const began = performance.now();
  for (const part of ["<", "&", "<a", "<a>", "&#", " ", "<?xml a", "</a>"]) {
    const text = part.repeat(Math.floor((xmlLimits.characters - 100) / part.length));
    assert.is(readXml(text), null, part);
    assert.is(readXml(`<a>${text}`), null, part);
  }
  assert.ok(performance.now() - began < 20_000);
});

const cell = />([^<\n]+)</g;
const statesIn = (text: string): readonly string[] =>
  [...text.matchAll(/<pair_state\s*>([^<]*)<\/pair_state\s*>/g)].map((match) => match[1] ?? "");

test("10,000 damaged queries of what is not paired never say paired", () => {
  const others = golden.filter(
    ([name, state]) => state !== "paired" && !name.includes("synchronized"),
  );
  const each = Math.ceil(10_000 / others.length);
  others.forEach(([name], index) => {
    for (const text of damaged(sample(name), cell, each, index)) {
      assert.is.not(stateOf(text), "paired", `${name}: ${text}`);
    }
  });
});

test("10,000 damaged queries of a pair: paired only if each state that is left says so", () => {
  let understood = 0;
  const names = ["r1-synchronized", "r2-consistent", "r1-mixed", "r1-async-synchronized"];
  names.forEach((name, index) => {
    for (const text of damaged(sample(name), cell, 2500, 100 + index)) {
      if (stateOf(text) !== "paired") continue;
      understood += 1;
      const states = statesIn(text).map((state) => state.trim());
      assert.ok(states.length > 0, text);
      const word = name.includes("consistent") ? "Consistent" : "Synchronized";
      assert.ok(
        states.every((state) => state === word),
        `${name}: ${text}`,
      );
      assert.is(text.split("<RDF_Pair").length - 1, states.length, text);
    }
  });
  assert.ok(understood > 50, "some damage is of no account");
});

test("10,000 damaged lists of devices: no exception, and only names of devices", () => {
  for (const text of damaged(read("group.ld.xml"), cell, 10_000, 9)) {
    for (const device of parseDevices(text) ?? []) assert.match(device, /^[0-9A-F]{3,6}$/);
  }
});

test("10,000 damaged inquiries: no exception, and only ids of arrays", () => {
  for (const text of damaged(read("host.inquiry.xml"), cell, 10_000, 10)) {
    for (const { symid } of parseInquiry(text) ?? []) assert.match(symid, /^\d{12}$/);
  }
});

test.run();
