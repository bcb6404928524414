/** Every fault there is, by name. */
import type { FaultKind } from "../fault.ts";
import { basicFaults } from "./basic.ts";

export const faults: readonly FaultKind[] = [...basicFaults];

const byName = new Map(faults.map((kind) => [kind.name, kind]));
export const faultNamed = (name: string): FaultKind | null => byName.get(name) ?? null;
