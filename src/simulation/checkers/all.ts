/** Every checker there is. */
import type { CheckerKind } from "../checker.ts";
import { twoActive } from "./two-active.ts";

export const checkers: readonly CheckerKind[] = [twoActive];
