// test-limit-seconds: 180
// Every `sh` block of the documents is run here, in order, each document in an empty folder of its
// own, with dist/ on PATH. Blocks in other languages are not commands. README's build.sh commands
// are what CI itself runs.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const root = process.cwd();
const documents = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].concat(
  readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => path.join("docs", name)),
);

/** Fenced blocks with their language; a fence without one is refused, so that none is overlooked. */
function blocksOf(document: string): { language: string; text: string }[] {
  const text = readFileSync(path.join(root, document), "utf8");
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", body = ""]) => ({
      language,
      text: body,
    }),
  );
}

function runScript(
  script: string,
  folder: string,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${root}/dist:${process.env["PATH"]}` };
    const child = spawn("sh", ["-e", "-c", script], { cwd: folder, env, detached: true });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
    });
    const end = (code: number | null): void => {
      clearTimeout(timer);
      // What a document started in the background ends with its folder.
      try {
        if (child.pid) process.kill(-child.pid, "SIGKILL");
      } catch {
        // all of it has ended
      }
      resolve({ code, output });
    };
    const timer = setTimeout(() => end(null), 120_000);
    child.on("exit", end);
  });
}

for (const document of documents) {
  const blocks = blocksOf(document);
  test(`${document}: every block says what it is`, () => {
    for (const block of blocks)
      assert.ok(block.language !== "", `a fence without a language:\n${block.text}`);
  });
  const commands = blocks.filter((block) => block.language === "sh").map((block) => block.text);
  if (commands.length === 0) continue;
  test(`${document}: its commands work`, async () => {
    const lines = commands.join("\n");
    if (document === "README.md") {
      assert.is(
        lines.trim(),
        "./build.sh demo\n./build.sh test",
        "README's commands are those of CI",
      );
      return;
    }
    const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-docs-"));
    const { code, output } = await runScript(lines, folder);
    rmSync(folder, { recursive: true, force: true });
    assert.is(code, 0, output.slice(-3000));
  });
}

test.run();
