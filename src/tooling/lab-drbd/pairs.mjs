/**
 * Two pairs with nothing in them: hba is written at tokyo, hbb at osaka. Both disks of each are
 * empty, so they are declared equal, and nothing need be copied first.
 */
import { command, nodes, until } from "./guests.mjs";

const resources = { hba: "tokyo", hbb: "osaka" };
const limitMs = 120_000;

async function must(node, text) {
  const { code, text: said } = await command(node, text, limitMs);
  if (code !== 0) throw new Error(`${node}: ${text}: exit code ${code}\n${said}`);
  return said;
}

export async function formPairs(say) {
  const both = (text) => Promise.all(nodes.map((node) => must(node, text)));
  await both("for r in hba hbb; do drbdadm create-md --force $r && drbdadm up $r || exit 1; done");
  for (const [resource, writer] of Object.entries(resources)) {
    await until(`${resource} is connected`, limitMs, async () =>
      (await must(writer, `drbdadm cstate ${resource}`)).includes("Connected"),
    );
    await must(writer, `drbdadm new-current-uuid --clear-bitmap ${resource}/0`);
    await must(writer, `drbdadm primary ${resource}`);
  }
  say("pairs hba (tokyo to osaka) and hbb (osaka to tokyo) are there");
}
