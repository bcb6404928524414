/** Every checker there is. */
import type { CheckerKind } from "../checker.ts";
import { agree } from "./agree.ts";
import { belief } from "./belief.ts";
import { commanded } from "./commanded.ts";
import { detection } from "./detection.ts";
import { falseAlarm } from "./false-alarm.ts";
import { installed } from "./installed.ts";
import { linkTakeover } from "./link-takeover.ts";
import { marks } from "./marks.ts";
import { noticesOnce } from "./notices-once.ts";
import { order } from "./order.ts";
import { reasons } from "./reasons.ts";
import { row } from "./row.ts";
import { selfFence } from "./self-fence.ts";
import { terms } from "./terms.ts";
import { twoActive } from "./two-active.ts";
import { writes } from "./writes.ts";

export const checkers: readonly CheckerKind[] = [
  twoActive,
  linkTakeover,
  commanded,
  detection,
  falseAlarm,
  belief,
  marks,
  reasons,
  row,
  writes,
  noticesOnce,
  terms,
  order,
  selfFence,
  installed,
  agree,
];
