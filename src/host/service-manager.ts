/**
 * What a service manager (systemd, Type=notify) is told: that the agent is ready, that it lives,
 * that it stops. See sd_notify(3) and sd_watchdog_enabled(3). Life is told only after work that was
 * really done; who hangs says nothing, and is killed and started anew by the manager.
 *
 * That restarts the agent, and fences nobody: a service of somebody else's runs on meanwhile.
 */

/** Sends one datagram; why it was not sent, or null. */
export type SendDatagram = (address: string, text: string) => string | null;

/** Told this many times in the time that is allowed, so that a late one is no fault. */
const tellsPerLimit = 4;

export type ServiceManager = {
  /** Time in which it wants a sign of life; null where it wants none. */
  readonly limitMs: number | null;
  ready(): string | null;
  /** Work was done: tells so if the last time is long enough ago. Why it failed, or null. */
  alive(nowMs: number): string | null;
  stopping(): string | null;
};

const microsecondsPerMillisecond = 1000;

/** The limit that is meant for this process. */
function limitOf(env: NodeJS.ProcessEnv, pid: number): number | null {
  const text = env["WATCHDOG_USEC"] ?? "";
  const meant = env["WATCHDOG_PID"];
  if (!/^[1-9]\d{0,15}$/.test(text)) return null;
  if (meant !== undefined && meant !== "" && meant !== String(pid)) return null;
  return Number(text) / microsecondsPerMillisecond;
}

/** null where no manager listens, or at an address of a kind that is not known here. */
export function serviceManagerOf(
  env: NodeJS.ProcessEnv,
  pid: number,
  send: SendDatagram,
): ServiceManager | null {
  const address = env["NOTIFY_SOCKET"] ?? "";
  if (!/^[/@]./.test(address)) return null;
  const limitMs = limitOf(env, pid);
  const everyMs = limitMs === null ? null : limitMs / tellsPerLimit;
  let toldMs: number | null = null;
  return {
    limitMs,
    ready: () => send(address, `READY=1\nMAINPID=${pid}`),
    alive(nowMs) {
      if (everyMs === null || (toldMs !== null && nowMs - toldMs < everyMs)) return null;
      const fault = send(address, "WATCHDOG=1");
      if (fault === null) toldMs = nowMs;
      return fault;
    },
    stopping: () => send(address, "STOPPING=1"),
  };
}
