/** Words for what is well, where a need is met. */
import type { State } from "./state.ts";

export function recordPairs({ config }: State): string {
  const names = config.dataGroups.map(({ name }) => name);
  return names.length === 0 ? "no data groups are configured" : `${names.join(", ")} in order`;
}
