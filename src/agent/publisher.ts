/** One record out on all its paths: as it was decided, with what was seen at that moment. */
import { siteNamed } from "../core/base/config.ts";
import { states } from "../core/sector/layout.ts";
import { echoesFor } from "../core/step/publish.ts";
import { type Action, networkPath, type State } from "../core/step/state.ts";
import type { Endpoint } from "../network/endpoint.ts";
import { addressees, sendLan } from "./lan.ts";
import type { MirrorOut } from "./mirror-out.ts";
import type { EchoSet, Keyring, Writer } from "./seal.ts";

export type Publish = Extract<Action, { kind: "publish" }>;

export type Sender = {
  /** After the step that decided on the record: its echoes are of that moment. */
  readonly state: State;
  readonly writer: Writer;
  readonly writers: Readonly<Record<string, MirrorOut>>;
  readonly keys: Keyring;
};

export type Sent = {
  /** null while there is no socket. */
  readonly endpoint: Endpoint | null;
  readonly onDurable: (mirror: string, serial: bigint) => void;
};

/** A farewell may be lost on the way: it is sent more than once. */
const farewellDatagrams = 3;

/** What each site's hosts are told that we saw of them; made once a beat. */
function echoSets(state: State): (site: string) => EchoSet {
  const made = new Map<string, EchoSet>();
  return (site) => {
    const peerSiteId = siteNamed(state.config, site)?.id ?? 0;
    const set = made.get(site) ?? { peerSiteId, echoes: echoesFor(state, site) };
    made.set(site, set);
    return set;
  };
}

/** Ends when every mirror has taken it, or has given up. */
export async function publishRecord(
  { state, writer, writers, keys }: Sender,
  { body, paths, final, onlyTo }: Publish,
  { endpoint, onDurable }: Sent,
): Promise<void> {
  const sets = echoSets(state);
  if (endpoint && paths.includes(networkPath)) {
    const to = addressees(state, onlyTo);
    // Whoever goes on says it again with the next beat.
    const isFarewell = final && body.state !== states.running;
    for (let times = isFarewell ? farewellDatagrams : 1; times > 0; times--) {
      sendLan(endpoint, to, writer, body, sets, keys);
    }
  }
  const write = async (mirror: string): Promise<void> => {
    const out = writers[mirror];
    if (!out) return;
    const end = await out.write(body, sets(out.readerSite), final);
    if (end.kind === "durable") onDurable(mirror, end.serial);
  };
  await Promise.all(paths.filter((path) => path !== networkPath).map(write));
}
