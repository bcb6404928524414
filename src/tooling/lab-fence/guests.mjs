/**
 * The two guests of the fencing laboratory, one with each kind of watchdog, and what their
 * machines tell: the times of their resets.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { build } from "esbuild";
import { commonOptions } from "../esbuild-options.mjs";
import { booted, command, end as endGuest, start } from "../lab-guest/guests.mjs";
import { buildImage as image } from "../lab-guest/image.mjs";

export { boots, booted, command, pause, textOf, until } from "../lab-guest/guests.mjs";

/** Each with the module that drives its watchdog, and what its machine has for it. */
export const guests = [
  { name: "softdog", module: "softdog", more: [] },
  {
    name: "i6300esb",
    module: "i6300esb",
    more: ["-device", "i6300esb", "-action", "watchdog=reset"],
  },
];
const disks = ["a"];
const diskBytes = 16 << 20;
const memoryMb = 512;

export const buildImage = (folder, say) =>
  image(folder, say, {
    packages: { dmsetup: "dmsetup" },
    modules: ["virtio_blk", "dm-mod", "watchdog"],
    later: guests.map(({ module }) => module),
  });

/** The service of the laboratory, bundled as the program is, beside the program's own library. */
export async function bundleService(source, dist) {
  mkdirSync("share", { recursive: true });
  await build({
    ...commonOptions,
    entryPoints: [source],
    outfile: path.resolve("share/service.cjs"),
  });
  copyFileSync(path.join(dist, "libmirrorbeat.so"), "share/libmirrorbeat.so");
}

/** What a machine tells by itself; `resets` are Unix times in milliseconds. */
export class Teller {
  resets = [];
  #socket;

  constructor(node) {
    let seen = "";
    this.#socket = net.connect(`${node}.qmp`);
    this.#socket.on("connect", () => this.#socket.write('{"execute":"qmp_capabilities"}\n'));
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", (data) => {
      seen += data;
      const lines = seen.split("\n");
      seen = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    });
  }

  #take(line) {
    if (!line.includes('"event"')) return;
    const { event, timestamp } = JSON.parse(line);
    if (event !== "RESET") return;
    this.resets.push(timestamp.seconds * 1000 + timestamp.microseconds / 1000);
  }

  order(execute) {
    this.#socket.write(`${JSON.stringify({ execute })}\n`);
  }

  end() {
    this.#socket.destroy();
  }
}

export async function boot(guest, kernel, dist) {
  start(guest.name, kernel, dist, { disks, diskBytes, memoryMb, more: guest.more });
  await booted(guest.name);
}

export async function end() {
  for (const { name } of guests) await endGuest(name, disks);
}

/** A command that must succeed. */
export async function must(node, text) {
  const { code, text: said } = await command(node, text);
  if (code !== 0) throw new Error(`${node}: ${text}: exit code ${code}\n${said}`);
  return said;
}
