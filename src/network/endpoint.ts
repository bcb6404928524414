/**
 * The network path: datagrams of 1024 bytes, a record and one echo sector. Bytes only; what they
 * mean is told by core/record. Received datagrams wait in a bounded queue until the agent drains
 * it; a flood fills the queue, is counted, and costs no more than the queue holds.
 */
import dgram from "node:dgram";
import net from "node:net";

export type Address = { readonly host: string; readonly port: number };

export type Endpoint = {
  send(bytes: Uint8Array, to: Address): void;
  /** Everything received since the last call, in order of arrival. */
  drain(): readonly Buffer[];
  readonly droppedDatagrams: number;
  readonly sendErrors: number;
  close(): void;
};

export type EndpointResult =
  | { readonly ok: true; readonly endpoint: Endpoint }
  | { readonly ok: false; readonly code: string; readonly message: string };

const queueDatagramsMax = 4096;
const receiveBufferBytes = 1 << 20;

export function addressText(address: Address): string {
  return net.isIPv6(address.host)
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

function faultMessage(address: Address, code: string): string {
  const where = `address ${addressText(address)}`;
  switch (code) {
    case "EADDRINUSE":
      return `${where}: already in use by another program; stop it or change the host's address`;
    case "EADDRNOTAVAIL":
      return `${where}: this machine has no such address (yet); mend it or wait for the network`;
    case "EACCES":
      return `${where}: not allowed; use a port above 1023`;
    default:
      return `${where}: cannot be opened (${code})`;
  }
}

/** Opens a socket on that address; the answer is a value, also when the address is taken. */
export function openEndpoint(address: Address): Promise<EndpointResult> {
  const family = net.isIPv6(address.host) ? "udp6" : "udp4";
  // Numeric addresses only: a name would need a resolver, which may hang.
  const socket = dgram.createSocket({
    type: family,
    reuseAddr: false,
    lookup: (host, _options, done) => done(null, host, net.isIPv6(host) ? 6 : 4),
  });
  let queue: Buffer[] = [];
  let dropped = 0;
  let sendErrors = 0;
  const countError = (error: Error | null): void => {
    if (error) sendErrors += 1;
  };
  socket.on("message", (bytes) => {
    if (queue.length >= queueDatagramsMax) dropped += 1;
    else queue.push(bytes);
  });
  return new Promise((resolve) => {
    socket.once("error", (error) => {
      const code = (error as NodeJS.ErrnoException).code ?? "unknown";
      socket.close();
      resolve({ ok: false, code, message: faultMessage(address, code) });
    });
    socket.bind(address.port, address.host, () => {
      socket.removeAllListeners("error");
      // ICMP errors and a network that goes down: counted, never thrown.
      socket.on("error", () => {
        sendErrors += 1;
      });
      try {
        socket.setRecvBufferSize(receiveBufferBytes);
      } catch {
        // The kernel's default serves; a larger one only rides out longer stalls of ours.
      }
      resolve({ ok: true, endpoint: endpointOf() });
    });
  });

  function endpointOf(): Endpoint {
    return {
      send(bytes, to) {
        // Without a callback the run-time drops most errors silently.
        socket.send(bytes, to.port, to.host, countError);
      },
      drain() {
        const drained = queue;
        queue = [];
        return drained;
      },
      get droppedDatagrams() {
        return dropped;
      },
      get sendErrors() {
        return sendErrors;
      },
      close: () => socket.close(),
    };
  }
}
