/** What docs/arrays.md shows of exec and vendor is what the program reads, and what compiles. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needProgram, testWhere } from "../../testing/where.ts";
import { faultClasses, pairStates } from "../provider.ts";
import { readBody, readCapabilities, readIdentity, readQuery } from "./answer.ts";

const text = readFileSync("docs/arrays.md", "utf8");

function section(title: string): string {
  const from = text.indexOf(`\n## ${title}\n`);
  assert.ok(from >= 0, `no section ${title}`);
  const next = text.indexOf("\n## ", from + 1);
  return text.slice(from, next < 0 ? undefined : next);
}

const fences = (of: string, language: string): string[] =>
  [...of.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, kind, body = ""]) =>
    kind === language ? [body] : [],
  );

test("each answer that is shown is read", () => {
  const answers = fences(section("Any other array (exec)"), "json").filter(
    (each) => !each.includes('"call"'),
  );
  const kinds = answers.map((each) => {
    const body = readBody(each);
    if (body === null) return `no answer: ${each}`;
    if (body.kind === "fault") return "fault";
    if (readCapabilities(body.value).ok) return "capabilities";
    if (readIdentity(body.value).ok) return "identify";
    return readQuery(body.value, "both").ok ? "query" : "change";
  });
  assert.equal(kinds, ["capabilities", "identify", "query", "change", "fault"]);
});

test("every state and class is named", () => {
  const words = section("Any other array (exec)");
  for (const word of [...pairStates, ...faultClasses])
    assert.ok(words.includes(`\`${word}\``), word);
});

testWhere(test, [needProgram("cc", "gcc")], "the library that is shown compiles", () => {
  const [source = ""] = fences(section("A vendor's library (vendor)"), "c");
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-docs-"));
  const file = path.join(folder, "library.c");
  writeFileSync(file, source);
  const flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Inative/include"];
  const { status, stderr } = spawnSync("cc", [...flags, "-fsyntax-only", file], {
    encoding: "utf8",
    timeout: 30_000,
  });
  rmSync(folder, { recursive: true, force: true });
  assert.is(status, 0, stderr);
});

test.run();
