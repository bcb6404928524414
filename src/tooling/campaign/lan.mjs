// The LAN between two hosts: a relay of datagrams for each direction, which can be cut.
import dgram from "node:dgram";

async function bound(address) {
  const socket = dgram.createSocket("udp4");
  await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, address, resolve);
  });
  socket.on("error", () => undefined);
  return socket;
}

/** `ports`: where each host receives, by its name. Cuts are counted: each is healed by itself. */
export async function openLan(address, ports) {
  const cuts = {};
  const relays = {};
  const sender = await bound(address);
  const names = Object.keys(ports);
  for (const from of names) {
    for (const to of names) {
      if (from === to) continue;
      const way = `${from}>${to}`;
      cuts[way] = 0;
      relays[way] = await bound(address);
      relays[way].on("message", (bytes) => {
        if (cuts[way] === 0) sender.send(bytes, ports[to], address, () => undefined);
      });
    }
  }
  return {
    ways: Object.keys(relays),
    /** Where `from` believes that `to` receives. */
    portFor: (from, to) => relays[`${from}>${to}`].address().port,
    cut: (way) => {
      cuts[way] += 1;
    },
    heal: (way) => {
      cuts[way] -= 1;
    },
    close: () => {
      sender.close();
      for (const relay of Object.values(relays)) relay.close();
    },
  };
}
