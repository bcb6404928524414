/**
 * The IP network between sites: datagrams that may be lost, late, twice, out of order, or never
 * sent by who they say. A way is "from>to", of two sites or of two hosts.
 */
import type { Address, Endpoint } from "../network/endpoint.ts";
import type { Life } from "./machine.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

export type Manner = {
  /** Nothing comes through while this is above 0; faults that overlap each add one. */
  cuts: number;
  delayMs: number;
  jitterMs: number;
  /** Probabilities, a datagram. */
  lost: number;
  twice: number;
  /** Late by up to a second, so that later ones overtake it. */
  overtaken: number;
};

const goodManner = (): Manner => ({
  cuts: 0,
  delayMs: 2,
  jitterMs: 1,
  lost: 0,
  twice: 0,
  overtaken: 0,
});

const queueMax = 4096;
const overtakenMs = 1000;
const recentMax = 256;
const eldestMax = 32;

type Mailbox = {
  readonly host: string;
  readonly site: string;
  readonly life: Life;
  queue: Buffer[];
  dropped: number;
};

export type Datagram = { readonly from: string; readonly to: string; readonly bytes: Buffer };

export class Network {
  private readonly time: VirtualTime;
  private readonly random: Random;
  private readonly manners = new Map<string, Manner>();
  /** By "address:port". */
  private readonly mailboxes = new Map<string, Mailbox>();
  private readonly addresses = new Map<string, string>();
  /** The newest that were sent, for whoever repeats them. */
  readonly recent: Datagram[] = [];
  /** The first that were ever sent: of the first run of each agent, most likely. */
  readonly eldest: Datagram[] = [];

  constructor(time: VirtualTime, random: Random) {
    this.time = time;
    this.random = random;
  }

  /** How that way is now; changed in place. */
  way(from: string, to: string): Manner {
    const key = `${from}>${to}`;
    let manner = this.manners.get(key);
    if (!manner) {
      manner = goodManner();
      this.manners.set(key, manner);
    }
    return manner;
  }

  isCut(from: { host: string; site: string }, to: { host: string; site: string }): boolean {
    return (
      this.way(from.site, to.site).cuts > 0 ||
      (this.manners.get(`${from.host}>${to.host}`)?.cuts ?? 0) > 0
    );
  }

  /** A socket of that program; an older one on the same address hears no more. */
  open(host: string, site: string, address: Address, life: Life): Endpoint {
    const mailbox: Mailbox = { host, site, life, queue: [], dropped: 0 };
    const key = keyOf(address);
    this.mailboxes.set(key, mailbox);
    this.addresses.set(host, key);
    return {
      send: (bytes, to) => this.send(mailbox, keyOf(to), Buffer.from(bytes)),
      drain: () => {
        const { queue } = mailbox;
        mailbox.queue = [];
        return queue;
      },
      get droppedDatagrams() {
        return mailbox.dropped;
      },
      sendErrors: 0,
      close: () => {
        if (this.mailboxes.get(key) === mailbox) this.mailboxes.delete(key);
      },
    };
  }

  /** Arrives at that host as it is, whoever made it. */
  inject(host: string, bytes: Buffer): void {
    const mailbox = this.mailboxes.get(this.addresses.get(host) ?? "");
    if (mailbox) this.deliver(mailbox, bytes);
  }

  private send(from: Mailbox, key: string, bytes: Buffer): void {
    const to = this.mailboxes.get(key);
    if (!to) return;
    this.remember({ from: from.host, to: to.host, bytes });
    if (this.isCut(from, to)) return;
    const manner = this.way(from.site, to.site);
    const { random } = this;
    if (manner.lost > 0 && random.chance(manner.lost)) return;
    const times = manner.twice > 0 && random.chance(manner.twice) ? 2 : 1;
    for (let time = 0; time < times; time++) {
      const late = manner.overtaken > 0 && random.chance(manner.overtaken);
      const jitterMs = manner.jitterMs > 0 ? random.around(manner.jitterMs) : 0;
      const delayMs = manner.delayMs + jitterMs + (late ? random.between(0, overtakenMs) : 0);
      this.time.after(delayMs, () => this.deliver(to, bytes));
    }
  }

  private remember(datagram: Datagram): void {
    if (this.eldest.length < eldestMax) this.eldest.push(datagram);
    this.recent.push(datagram);
    if (this.recent.length > 2 * recentMax) this.recent.splice(0, recentMax);
  }

  private deliver(to: Mailbox, bytes: Buffer): void {
    if (!to.life.isAlive) return;
    if (to.queue.length >= queueMax) to.dropped += 1;
    else to.queue.push(bytes);
  }
}

const keyOf = ({ host, port }: Address): string => `${host}:${port}`;
