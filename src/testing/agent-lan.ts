/**
 * The LAN of the agents under test: a datagram relay for each ordered pair of hosts, so that it can
 * be cut in either direction, looked at, and made to change, delay or repeat what it carries.
 */
import dgram from "node:dgram";

export type Carried = (from: string, to: string, bytes: Buffer) => readonly Buffer[];

export type TestLan = {
  /** Where `from` believes that `to` receives. */
  portFor(from: string, to: string): number;
  /** Nothing passes from these hosts to those; names, or "*". */
  cut(from: string, to: string): void;
  heal(): void;
  /** What becomes of a datagram that is not cut; null: it passes as it is. */
  carry(carried: Carried | null): void;
  /** Datagrams that `from` sent to `to`, cut or not. */
  sent(from: string, to: string): number;
  /** The last ones, newest last. */
  recent(from: string, to: string): readonly Buffer[];
  /** Straight to the host's own socket. */
  inject(to: string, bytes: Uint8Array): Promise<void>;
  close(): void;
};

const recentMax = 64;

async function bound(address: string): Promise<dgram.Socket> {
  const socket = dgram.createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, address, () => resolve());
  });
  socket.on("error", () => undefined);
  return socket;
}

export async function openTestLan(
  address: string,
  ports: Readonly<Record<string, number>>,
): Promise<TestLan> {
  const cuts: (readonly [string, string])[] = [];
  const relays = new Map<string, dgram.Socket>();
  const counts = new Map<string, number>();
  const kept = new Map<string, Buffer[]>();
  let carried: Carried | null = null;
  const sender = await bound(address);
  const isCut = (from: string, to: string): boolean =>
    cuts.some(([a, b]) => (a === "*" || a === from) && (b === "*" || b === to));
  const pass = (from: string, to: string, bytes: Buffer): void => {
    const key = `${from}>${to}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const last = kept.get(key) ?? [];
    last.push(bytes);
    if (last.length > recentMax) last.shift();
    kept.set(key, last);
    if (isCut(from, to)) return;
    const out = carried ? carried(from, to, bytes) : [bytes];
    for (const each of out) sender.send(each, ports[to] ?? 0, address, () => undefined);
  };
  for (const from of Object.keys(ports)) {
    for (const to of Object.keys(ports)) {
      if (from === to) continue;
      const socket = await bound(address);
      socket.on("message", (bytes) => pass(from, to, bytes));
      relays.set(`${from}>${to}`, socket);
    }
  }
  return {
    portFor: (from, to) => relays.get(`${from}>${to}`)?.address().port ?? 0,
    cut: (from, to) => void cuts.push([from, to]),
    heal: () => void cuts.splice(0),
    carry: (next) => {
      carried = next;
    },
    sent: (from, to) => counts.get(`${from}>${to}`) ?? 0,
    recent: (from, to) => kept.get(`${from}>${to}`) ?? [],
    inject: (to, bytes) =>
      new Promise((resolve) => sender.send(bytes, ports[to] ?? 0, address, () => resolve())),
    close: () => {
      sender.close();
      for (const socket of relays.values()) socket.close();
    },
  };
}
