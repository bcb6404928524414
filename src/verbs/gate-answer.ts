/** The agent's answer to `gate`, checked before it is believed: what is not understood opens nothing. */
import type { Config } from "../core/base/config.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { askAgent, type Asked } from "./agent-client.ts";

export type GateCode =
  | typeof exitCodes.ok
  | typeof exitCodes.tryLater
  | typeof exitCodes.statusUnknown;

export type GateAnswer = {
  readonly schema: 1;
  readonly open: boolean;
  /** 0 open, 75 closed, 4 cannot be told. */
  readonly code: GateCode;
  /** One line: why it is so. */
  readonly reason: string;
  /** What would open it; empty where it is open. */
  readonly opens: string;
  /** Of this host and of the highest term, as far as it is known; else empty. */
  readonly role: string;
  readonly term: string;
  readonly owner: string;
};

const nobody = { schema: 1, open: false, role: "", term: "", owner: "" } as const;

export const closed = (reason: string, opens: string): GateAnswer => {
  return { ...nobody, code: exitCodes.tryLater, reason, opens };
};
export const notKnown = (reason: string, opens: string): GateAnswer => {
  return { ...nobody, code: exitCodes.statusUnknown, reason, opens };
};

const gateCodes: readonly unknown[] = [
  exitCodes.ok,
  exitCodes.tryLater,
  exitCodes.statusUnknown,
] satisfies readonly GateCode[];

const oneLine = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, " ").trim();

/** null for whatever is not a whole answer, or contradicts itself. */
export function parseGate(value: unknown): GateAnswer | null {
  if (typeof value !== "object" || value === null) return null;
  const { schema, open, code, reason, opens, role, term, owner } = value as Record<string, unknown>;
  if (schema !== 1 || typeof open !== "boolean" || !gateCodes.includes(code)) return null;
  if (open !== (code === exitCodes.ok)) return null;
  const texts = [reason, opens, role, term, owner];
  if (!texts.every((text) => typeof text === "string") || reason === "") return null;
  const [why = "", what = "", ...rest] = texts.map((text) => oneLine(String(text)));
  const [roleText = "", termText = "", ownerText = ""] = rest;
  return {
    schema,
    open,
    code: code as GateCode,
    reason: why,
    opens: what,
    role: roleText,
    term: termText,
    owner: ownerText,
  };
}

/** "absent": no agent answers at all. */
export type GateAsked = GateAnswer | "absent";

function judge(asked: Asked): GateAsked {
  if (asked.ok) {
    const answer = parseGate(asked.value);
    if (answer) return answer;
    const remedy = "restart it with this program's version: mirrorbeat run";
    return notKnown("the agent's answer is not understood", remedy);
  }
  if (asked.code === exitCodes.unavailable) return "absent";
  const remedy =
    asked.code === exitCodes.noPermission
      ? "ask as the agent's user, or as root"
      : "look at it: mirrorbeat status; if it hangs, restart it";
  return notKnown(asked.message, remedy);
}

export async function askGate(config: Config, deadlineMs: number): Promise<GateAsked> {
  return judge(await askAgent(config, { op: "gate" }, deadlineMs));
}
