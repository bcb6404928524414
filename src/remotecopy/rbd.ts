/** The provider for rbd: not written yet. */
import type { ProviderContext } from "./open-provider.ts";
import { fault, type PairProvider } from "./provider.ts";

export function rbdProvider(_context: ProviderContext): PairProvider {
  const none = fault("unsupported", "not written yet");
  return {
    capabilities: {
      verbs: [],
      copying: "either",
      secondaryRead: "none",
      remoteQuery: false,
      atomicSwap: false,
    },
    identify: () => Promise.resolve(none),
    query: () => Promise.resolve(none),
    commands: () => [],
    perform: () => Promise.resolve({ kind: "not-begun", fault: none }),
  };
}
