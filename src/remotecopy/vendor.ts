/**
 * The provider for any array whose vendor, or whose owner, offers a shared library with the
 * interface of native/include/mirrorbeat_vendor.h. The library runs in a process of its own: it may
 * hang, crash and lie, and costs this program nothing but an answer.
 *
 * What a library can do is known once it was asked; until then every change is held possible, and
 * one that there is not is refused when it comes to it.
 */
import { pairVerbs } from "../core/base/pair-settings.ts";
import { type ProviderContext, textOf } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type PairAnswer,
  type PairFault,
  type PairProvider,
  type Performed,
} from "./provider.ts";
import { noRemoteQuery, plainText, settleViews } from "./told-view.ts";
import {
  changeCall,
  commandsCall,
  faultOf,
  identifyCall,
  messageOf,
  openCall,
  queryCall,
  readBegun,
  readCommands,
  readIdentity,
  readQuery,
  type VendorCall,
} from "./vendor/codec.ts";
import { VendorSession } from "./vendor/session.ts";

const supposed: Capabilities = {
  verbs: pairVerbs,
  copying: "either",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: false,
};

/** For the words of the commands, which are shown and never needed. */
const commandsLimitMs = 500;

/** This very program, as the process that holds the library. */
export function hostCommand(library: string): readonly string[] {
  const script = process.argv[1] ?? "";
  return [process.execPath, ...process.execArgv, script, "vendor-host", library];
}

export function vendorProvider(context: ProviderContext): PairProvider {
  return vendorPair(context, hostCommand(textOf(context.own, "library") ?? "")).provider;
}

type VendorPair = { readonly provider: PairProvider; readonly session: VendorSession | null };

/** With another command to hold the library: tests run as another program than this one. */
export function vendorPair(context: ProviderContext, command: readonly string[]): VendorPair {
  const { end, own, device, peerDevice } = context;
  const settings = textOf(own, "settings") ?? "";
  const open = openCall({ end, settings, device, peerDevice });
  if (!open)
    return { provider: refusing("settings or a device's path are too long"), session: null };
  const library = textOf(own, "library") ?? "";
  const session = new VendorSession({ command, library, open });
  return { provider: providerOf(context, session, library), session };
}

function refusing(why: string): PairProvider {
  const refusal = fault("config", why);
  return {
    capabilities: supposed,
    identify: () => Promise.resolve(refusal),
    query: () => Promise.resolve(refusal),
    commands: () => [],
    perform: () => Promise.resolve({ kind: "not-begun", fault: refusal }),
  };
}

function providerOf(
  { nowMs }: ProviderContext,
  session: VendorSession,
  library: string,
): PairProvider {
  const about = plainText(library, 160);
  const named = (why: PairFault): PairFault =>
    why.message.startsWith(about) ? why : fault(why.class, `${about}: ${why.message}`);
  const ask = async (call: VendorCall, limitMs: number): Promise<{ bytes: Buffer } | PairFault> => {
    const reply = await session.call(call, limitMs);
    if (reply.kind === "failed") return reply.fault;
    if (reply.kind === "missing") return fault("config", `${about}: it has no mbv_${call.name}`);
    const told = faultOf(reply.result, reply.bytes);
    return told ? named(told) : reply;
  };
  // Asked for with the state that they depend on, once a change is in preparation.
  let preparing = false;
  const commandLines = new Map<string, readonly string[]>();
  const keyOf = (verb: string, force: boolean) => `${verb} ${force}`;
  const learnCommands = async (limitMs: number): Promise<void> => {
    const endMs = performance.now() + Math.min(limitMs, commandsLimitMs);
    commandLines.clear();
    for (const verb of pairVerbs) {
      for (const force of [false, true]) {
        const asked = await ask(commandsCall(verb, force), endMs - performance.now());
        if ("ok" in asked) return;
        const lines = readCommands(asked.bytes);
        if (lines) commandLines.set(keyOf(verb, force), lines);
      }
    }
  };
  return {
    get capabilities() {
      return session.about?.capabilities ?? supposed;
    },
    async identify(limitMs) {
      preparing = true;
      const asked = await ask(identifyCall(), limitMs);
      if ("ok" in asked) return asked;
      const identity = readIdentity(asked.bytes);
      return identity.ok ? { ok: true, identity: identity.value } : named(identity);
    },
    async query(scope, limitMs): Promise<PairAnswer> {
      const observedMs = nowMs();
      const beganMs = performance.now();
      const { copying, remoteQuery } = session.about?.capabilities ?? supposed;
      const cannot = scope === "both" && !remoteQuery;
      const within = cannot ? "local" : scope;
      const asked = await ask(queryCall(within), limitMs);
      if ("ok" in asked) return asked;
      const told = readQuery(asked.bytes, within);
      if (!told.ok) return named(told);
      if (preparing) await learnCommands(limitMs - (performance.now() - beganMs));
      const { ageMs } = told.value;
      const remoteFault = cannot ? fault("unsupported", noRemoteQuery) : told.value.remoteFault;
      const views = settleViews(told.value, copying);
      return { ok: true, observedMs: observedMs - ageMs, ...views, remoteFault };
    },
    commands: ({ verb, force }) =>
      commandLines.get(keyOf(verb, force)) ?? [`${about}: mbv_change(${verb})`],
    perform: (change, limitMs) => perform(session, change, limitMs, named),
  };
}

async function perform(
  session: VendorSession,
  { verb, force }: Change,
  limitMs: number,
  named: (why: PairFault) => PairFault,
): Promise<Performed> {
  const { about } = session;
  if (about && !about.capabilities.verbs.includes(verb)) {
    return { kind: "not-begun", fault: named(fault("unsupported", `it has no ${verb}`)) };
  }
  const reply = await session.call(changeCall(verb, force), limitMs);
  if (reply.kind === "failed") {
    return reply.sent
      ? { kind: "cut-short", detail: reply.fault.message }
      : { kind: "not-begun", fault: reply.fault };
  }
  if (reply.kind === "missing") {
    return { kind: "not-begun", fault: named(fault("unsupported", "it has no mbv_change")) };
  }
  const told = faultOf(reply.result, reply.bytes);
  if (!told) return { kind: "ended", detail: messageOf(reply.bytes) || `${verb}: done` };
  const begun = readBegun(reply.bytes);
  if (begun === false) return { kind: "not-begun", fault: named(told) };
  const unsure = begun === null || told.class === "timeout" || told.class === "unparseable";
  return { kind: unsure ? "cut-short" : "ended", detail: `${told.class}: ${told.message}` };
}
