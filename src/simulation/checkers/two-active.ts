/**
 * Never two sites whose services write at once; where one host of a site takes over from another,
 * never two hosts. Judged by the services themselves, in true time.
 */
import type { CheckerKind } from "../checker.ts";

export const twoActive: CheckerKind = {
  name: "two-active",
  words: "two sites write the same data",
  make(world, _faults, report) {
    const writing = new Set<string>();
    const isLocal = world.config.takeover.local;
    return {
      watch(watched) {
        if (watched.kind !== "service") return;
        if (!watched.runs) return void writing.delete(watched.host);
        writing.add(watched.host);
        const sites = new Set([...writing].map((name) => world.host(name).site));
        if (sites.size > 1 || (isLocal && writing.size > 1)) {
          report(`${[...writing].sort().join(" and ")} write at once`);
        }
      },
    };
  },
};
