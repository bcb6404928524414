/**
 * docs/arrays.md: the settings of each provider are rendered from the table that the configuration
 * is checked against, and what it says of each provider is what the provider says itself.
 * UPDATE_FIXTURES=1 renders the document anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  commonSettings,
  type EndSettings,
  type PairConfig,
  type ProviderName,
  pairSettings,
  providerNames,
  type Setting,
  type SettingValue,
} from "../core/base/pair-settings.ts";
import { openProvider } from "../remotecopy/open-provider.ts";
import type { Capabilities } from "../remotecopy/provider.ts";

const document = "docs/arrays.md";
type Settings = Readonly<Record<string, Setting>>;
const tables: Readonly<Record<string, Settings>> = { common: commonSettings, ...pairSettings };

const code = (text: string): string => `\`${text}\``;

function fallbackText({ fallback, optional }: Setting): string {
  if (fallback === null) return optional ? "none" : "must be given";
  return fallback === "" ? "empty" : code(valueText(fallback));
}

const valueText = (value: SettingValue): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value);

function noteText({ note, choices, min, max, fallback, example, kind }: Setting): string {
  const range = min === undefined || max === undefined ? [] : [`${min} to ${max}`];
  const words = choices ? [choices.map(code).join(", ")] : [];
  const shown = kind === "command" ? example : JSON.stringify(example);
  const sample = fallback === null && kind !== "number" ? [`as in ${code(shown)}`] : [];
  return [note, ...words, ...range, ...sample].join("; ");
}

function tableOf(settings: Settings): string {
  const rows = Object.entries(settings).map(
    ([name, setting]) =>
      `| ${code(name)} | ${setting.kind} | ${fallbackText(setting)} | ${noteText(setting)} |`,
  );
  return ["| setting | kind | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

const opening = (name: string) => `<!-- settings ${name}: generated -->`;
const closing = "<!-- end -->";

/** The document with every table between its markers rendered anew. */
function rendered(text: string): string {
  let result = text;
  for (const [name, settings] of Object.entries(tables)) {
    const start = result.indexOf(opening(name));
    const end = result.indexOf(closing, start);
    assert.ok(start >= 0 && end > start, `${document} has no markers for the settings ${name}`);
    assert.is(result.indexOf(opening(name), start + 1), -1, `${name} stands there twice`);
    const head = result.slice(0, start + opening(name).length);
    result = `${head}\n${tableOf(settings)}\n${result.slice(end)}`;
  }
  return result;
}

test("docs/arrays.md has every setting of every provider, as the program knows it", () => {
  const text = readFileSync(document, "utf8");
  const wanted = rendered(text);
  if (process.env["UPDATE_FIXTURES"] === "1") writeFileSync(document, wanted);
  else assert.is(text, wanted, "UPDATE_FIXTURES=1 renders it anew");
});

test("each provider has a section, and its settings stand in it", () => {
  const text = readFileSync(document, "utf8");
  for (const name of providerNames) {
    const [, section = ""] = text.split(new RegExp(`^## .*\\(${name}\\)$`, "m"));
    const [body = ""] = section.split(/^## /m);
    assert.ok(body.includes(opening(name)), name);
    assert.ok(body.includes(`provider = "${name}"`), `${name} has an example`);
  }
});

test("the document is ASCII, and its prose 80 columns wide", () => {
  let isFenced = false;
  for (const line of readFileSync(document, "utf8").split("\n")) {
    assert.match(line, /^[\x20-\x7e]*$/, line);
    if (line.trim().startsWith("```")) isFenced = !isFenced;
    const isProse = !isFenced && !line.startsWith("|") && !line.includes("](");
    if (isProse) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  }
});

const exampleOf = ({ kind, example }: Setting): SettingValue => {
  if (kind === "number") return Number(example);
  if (kind === "flag") return example === "true";
  return kind === "command" ? (JSON.parse(example) as string[]) : example;
};

async function capabilitiesOf(name: ProviderName): Promise<Capabilities> {
  const settings: Settings = { ...commonSettings, ...pairSettings[name] };
  const end: EndSettings = Object.fromEntries(
    Object.entries(settings).map(([key, setting]) => [key, exampleOf(setting)]),
  );
  const pair: PairConfig = { provider: name, writer: end, reader: end };
  const mirror = { name: "a-b", pvol: "/dev/mapper/p", svol: "/dev/mapper/s", pair };
  const opened = await openProvider(mirror, "writer", () => 0);
  if (!opened) throw new Error(`no provider ${name}`);
  return opened.provider.capabilities;
}

const readings = {
  device: "the SVOL",
  "backing-device": "the backing disk",
  none: "nothing",
} as const;

test("the overview says of each provider what it says of itself", async () => {
  const text = readFileSync(document, "utf8");
  const rows = [...text.matchAll(/^\| .*? \| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| .* \|$/gm)];
  const told = rows.filter(([, name = ""]) => (providerNames as readonly string[]).includes(name));
  assert.equal(told.map(([, name]) => name).sort(), [...providerNames].sort());
  for (const [, name = "", changes, copying, reading] of told) {
    // What a library or a program can do it says when it is asked.
    if (name === "vendor" || name === "exec") {
      const asked = `as the ${name === "exec" ? "program" : "library"} says`;
      assert.equal([changes, copying, reading], [asked, asked, asked]);
      continue;
    }
    const capabilities = await capabilitiesOf(name as ProviderName);
    const wanted = [
      capabilities.verbs.join(", "),
      capabilities.copying,
      readings[capabilities.secondaryRead],
    ];
    assert.equal([changes, copying, reading], wanted, name);
  }
});

test.run();
