// The parts alone: codec and polls, beside a bare HMAC, a bare read, and sanlock's renewal.
import { copyFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { isRoot, loopDevice, must, tempFolder } from "./bench-start.mjs";
import { commonOptions } from "./esbuild-options.mjs";
import { sanlockMissing, measureSanlockRenewal } from "./bench-peers.mjs";

const slots = 2000;
const volumeBytes = 160 << 20;
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

const renewalSeconds = 25;

/** What bench-micro.mjs tells, on a loop device with a volume of 2,000 slots. */
export async function measureParts(program) {
  const folder = tempFolder();
  await build({
    ...commonOptions,
    absWorkingDir: path.resolve(here, "../.."),
    entryPoints: ["src/tooling/bench-micro.mjs"],
    outfile: path.join(folder, "micro.cjs"),
    minify: true,
  });
  copyFileSync(
    path.join(path.dirname(program), "libmirrorbeat.so"),
    path.join(folder, "libmirrorbeat.so"),
  );
  const keyFile = path.join(folder, "authkey");
  await must(program, ["key", "generate", "--out", keyFile]);
  let device = null;
  if (isRoot) {
    ({ device } = await loopDevice(folder, "volume", volumeBytes));
    const identity = ["--cluster", "bench", "--writer", "a", "--reader", "b"];
    const size = ["--slots", String(slots), "--echo-peers", "8"];
    await must(program, ["format", device, ...identity, ...size, "--key", keyFile, "--yes"]);
  }
  const wish = JSON.stringify({ device, keyFile, slots });
  const renewalMs = sanlockMissing() ? null : await measureSanlockRenewal(folder, renewalSeconds);
  const out = await must(process.execPath, [path.join(folder, "micro.cjs"), wish], {
    timeout: 180_000,
  });
  return { ...JSON.parse(out), renewalMs };
}
