/**
 * Two go-betweens for tests: one for bytes, which is a link that can be cut, and one for QMP, which
 * answers wrongly in the ways that the conformance suite asks for.
 */
import { rmSync } from "node:fs";
import net from "node:net";

export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

export type Proxy = { close(): Promise<void> };
export type LinkProxy = Proxy & { cut(): void; mend(): void };

function listen(server: net.Server, place: Place): Promise<void> {
  if ("path" in place) rmSync(place.path, { force: true });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(place, () => resolve());
  });
}

function closer(server: net.Server, sockets: ReadonlySet<net.Socket>): () => Promise<void> {
  return () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
}

function track(sockets: Set<net.Socket>, ...added: readonly net.Socket[]): void {
  for (const socket of added) {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  }
}

/** Cut, it drops what it carries and takes nothing new. */
export async function linkProxy(from: Place, to: Place): Promise<LinkProxy> {
  const sockets = new Set<net.Socket>();
  let isCut = false;
  const server = net.createServer((client) => {
    track(sockets, client);
    if (isCut) return void client.destroy();
    const upstream = net.connect(to);
    track(sockets, upstream);
    for (const [a, b] of [[client, upstream], [upstream, client]] as const) {
      a.pipe(b);
      a.on("close", () => b.destroy());
    } // biome-ignore format: both ways
  });
  await listen(server, from);
  return {
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    close: closer(server, sockets),
  };
}

export type QmpMode =
  | "pass"
  | "garbage"
  | "truncated"
  /** Of the next command that changes something: */
  | "kill-after-effect"
  | "fail-after-effect"
  /** Of all of them. */
  | "lie";

export type QmpProxy = Proxy & {
  mode: QmpMode;
  upstream: Place;
};

const isChange = (line: string): boolean => !/"execute":"(query-|qom-list|qmp_cap)/.test(line);
const idOf = (line: string): unknown => (JSON.parse(line) as { id?: unknown }).id;
const garbage = "\u0000\u00ff}{ no answer\n";

/** Whole lines of a stream. */
function onLines(socket: net.Socket, take: (line: string) => void): void {
  let held = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (held + chunk).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) take(line);
  });
}

function serve(proxy: QmpProxy, sockets: Set<net.Socket>, client: net.Socket): void {
  const upstream = net.connect(proxy.upstream);
  track(sockets, client, upstream);
  client.on("close", () => upstream.destroy());
  upstream.on("close", () => client.destroy());
  let spoiled: { readonly id: unknown; readonly mode: QmpMode } | null = null;
  let answers = 0;
  onLines(client, (line) => {
    const { mode } = proxy;
    if (isChange(line) && mode === "lie") {
      return void client.write(`${JSON.stringify({ return: {}, id: idOf(line) })}\n`);
    }
    if (isChange(line) && (mode === "kill-after-effect" || mode === "fail-after-effect")) {
      spoiled = { id: idOf(line), mode };
      proxy.mode = "pass";
    }
    upstream.write(`${line}\n`);
  });
  onLines(upstream, (line) => {
    if (proxy.mode === "garbage") return void client.end(garbage);
    answers++;
    if (proxy.mode === "truncated" && answers > 2) {
      return void client.end(line.slice(0, line.length / 2));
    }
    if (!spoiled || idOf(line) !== spoiled.id) return void client.write(`${line}\n`);
    if (spoiled.mode === "kill-after-effect") return void client.destroy();
    const error = { class: "GenericError", desc: "failed, it says" };
    client.write(`${JSON.stringify({ error, id: spoiled.id })}\n`);
  });
}

export async function qmpProxy(from: Place, to: Place): Promise<QmpProxy> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => serve(proxy, sockets, client));
  const proxy: QmpProxy = { mode: "pass", upstream: to, close: closer(server, sockets) };
  await listen(server, from);
  return proxy;
}
