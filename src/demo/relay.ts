/**
 * The demo's LAN: a datagram relay in front of each host, whose cable can be pulled. No root is
 * needed, and the hosts are the shipped program: they only know the relay's address as the peer's.
 */
import dgram from "node:dgram";

export type Lan = {
  /** The port under which a host is reached by its peers. */
  portOf(host: string): number;
  cut(): void;
  heal(): void;
  close(): void;
};

async function boundSocket(): Promise<dgram.Socket> {
  const socket = dgram.createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => resolve());
  });
  return socket;
}

/** A port that is free now: bound and let go again. */
export async function freePort(): Promise<number> {
  const socket = await boundSocket();
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** `ports` are the hosts' own ports, by name. */
export async function openLan(ports: Readonly<Record<string, number>>): Promise<Lan> {
  let whole = true;
  const relays = new Map<string, dgram.Socket>();
  for (const [host, port] of Object.entries(ports)) {
    const socket = await boundSocket();
    socket.on("error", () => undefined);
    socket.on("message", (bytes) => {
      if (whole) socket.send(bytes, port, "127.0.0.1", () => undefined);
    });
    relays.set(host, socket);
  }
  return {
    portOf: (host) => relays.get(host)?.address().port ?? 0,
    cut: () => {
      whole = false;
    },
    heal: () => {
      whole = true;
    },
    close: () => {
      for (const socket of relays.values()) socket.close();
    },
  };
}
