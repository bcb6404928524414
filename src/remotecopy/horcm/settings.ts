/** The settings of one end, as the configuration has checked them, in the provider's own words. */
import type { EndSettings } from "../../core/base/pair-settings.ts";

export type HorcmSettings = {
  readonly group: string;
  /** null: every device of the group. */
  readonly device: string | null;
  /** So many volumes must an answer tell of, or it was cut off. */
  readonly volumes: number;
  readonly instance: number;
  readonly fence: string;
  readonly journal: string | null;
  readonly globalActive: boolean;
  readonly takeoverLimitS: number;
  readonly waitLimitS: number;
  readonly folder: string;
  readonly identity: string | null;
};

export function readSettings(own: EndSettings): HorcmSettings {
  const text = (key: string): string | null => {
    const value = own[key];
    return typeof value === "string" && value !== "" ? value : null;
  };
  const number = (key: string, fallback: number): number => {
    const value = own[key];
    return typeof value === "number" ? value : fallback;
  };
  const device = text("device");
  // A command that waits ends by itself before it would be killed in the middle of its work.
  const longestS = Math.max(1, Math.floor(number("change_limit_ms", 60_000) / 1000) - 5);
  return {
    group: text("group") ?? "",
    device,
    volumes: device === null ? number("volumes", 1) : 1,
    instance: number("instance", 0),
    fence: text("fence") ?? "never",
    journal: text("journal"),
    globalActive: own["global_active"] === true,
    takeoverLimitS: Math.min(longestS, number("takeover_limit_s", 30)),
    waitLimitS: Math.min(longestS, number("wait_limit_s", 0)),
    folder: text("folder") ?? "/HORCM/usr/bin",
    identity: text("identity"),
  };
}
