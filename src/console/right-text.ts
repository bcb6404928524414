/** The right to be active, as people read it: what stands, and what a takeover would need. */
import type { StatusObject } from "../core/step/status.ts";

type Right = StatusObject["right"];

const seconds = (ms: number | null): string => (ms === null ? "-" : `${(ms / 1000).toFixed(1)}s`);

function ownerLine(right: Right): string[] {
  if (right.alone) return ["RIGHT    alone: no lease binds this site until the other one is back"];
  if (!right.guarded || right.leaseLeftMs === null) return [];
  return [`RIGHT    lease ends in ${seconds(right.leaseLeftMs)} unless the other site renews it`];
}

/** One line a need, met or not. */
export function needLines(right: Right): string[] {
  return right.needs.map(({ met, text }) => `  [${met ? "x" : " "}] ${text}`);
}

function standbyLines(right: Right): string[] {
  if (right.needs.length === 0) return [];
  const unmet = right.needs.filter(({ met }) => !met).length;
  const head = unmet === 0 ? "the right is there; the verdict decides" : `${unmet} needs unmet`;
  return [`RIGHT    to take over by itself: ${head}`, ...needLines(right)];
}

/** Lines of the status; none where nobody but an operator decides. */
export function rightLines({ right }: StatusObject): string[] {
  const arbiter = right.arbiter;
  return [
    ...ownerLine(right),
    ...standbyLines(right),
    ...(right.renounced === null ? [] : [`RIGHT    renounced: ${right.renounced}`]),
    ...(arbiter === null ? [] : [`RIGHT    arbiter: ${arbiter.answer} ${arbiter.detail}`]),
    ...(right.attested === null
      ? []
      : [`RIGHT    an operator attested that ${right.attested} is off`]),
    ...(right.switchover === null
      ? []
      : [`RIGHT    switch-over to ${right.switchover.to}: ${right.switchover.phase}`]),
    ...(right.watchdogFault === null ? [] : [`NOTE     watchdog: ${right.watchdogFault}`]),
    ...right.data.map(
      ({ group, state, role, ageMs }) =>
        `DATA     ${group}: ${state}, ${role ?? "role unknown"}, age ${seconds(ageMs)}`,
    ),
  ];
}
