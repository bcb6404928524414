/** Every fault there is, by name. */
import type { FaultKind } from "../fault.ts";
import { agentFaults } from "./agent.ts";
import { arrayFaults } from "./array.ts";
import { commandFaults } from "./commands.ts";
import { dataFaults } from "./data.ts";
import { feedFaults } from "./feed.ts";
import { linkFaults } from "./links.ts";
import { machineFaults } from "./machine.ts";
import { networkFaults } from "./network.ts";
import { serviceFaults } from "./service.ts";
import { siteFaults } from "./sites.ts";
import { strangerFaults } from "./strangers.ts";
import { switchFaults } from "./switches.ts";
import { volumeFaults } from "./volume.ts";

export const faults: readonly FaultKind[] = [
  ...linkFaults,
  ...dataFaults,
  ...arrayFaults,
  ...volumeFaults,
  ...strangerFaults,
  ...networkFaults,
  ...machineFaults,
  ...feedFaults,
  ...agentFaults,
  ...serviceFaults,
  ...siteFaults,
  ...commandFaults,
  ...switchFaults,
];

const byName = new Map(faults.map((kind) => [kind.name, kind]));
export const faultNamed = (name: string): FaultKind | null => byName.get(name) ?? null;
