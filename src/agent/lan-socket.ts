/** This host's datagram socket: opened at the start, or as soon as the machine has its address. */
import { type Config, ownHost } from "../core/base/config.ts";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { type Endpoint, openEndpoint } from "../network/endpoint.ts";
import type { Voice } from "./voice.ts";

const endpointRetryMs = 5000;

export type LanSocket = { current: Endpoint | null };

/** Opens the socket; an address that this machine does not have yet is tried again. */
export async function openLanSocket(
  config: Config,
  tell: Voice["tell"],
): Promise<LanSocket | Refusal> {
  const address = ownHost(config).address;
  const holder: { current: Endpoint | null } = { current: null };
  if (!address) return holder;
  const attempt = async (): Promise<Refusal | null> => {
    const opened = await openEndpoint(address);
    if (opened.ok) {
      holder.current = opened.endpoint;
      return null;
    }
    return { code: exitCodes.unavailable, message: opened.message };
  };
  const first = await openEndpoint(address);
  if (first.ok) return { current: first.endpoint };
  if (first.code === "EADDRINUSE" || first.code === "EACCES") {
    return { code: exitCodes.unavailable, message: first.message };
  }
  tell({ level: "warning", ev: "network", fields: { ok: false, reason: first.message } });
  const retry = (): void => {
    setTimeout(() => {
      void attempt().then((fault) => {
        if (fault) return retry();
        tell({ level: "notice", ev: "network", fields: { ok: true, reason: "socket opened" } });
      });
    }, endpointRetryMs).unref();
  };
  retry();
  return holder;
}
