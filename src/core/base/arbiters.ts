/**
 * What may give one site the exclusive right to be active, and what each choice costs. One table:
 * `takeover --dry-run` prints its lines, and docs/arbiters.md is generated from it.
 *
 * Two sites that can lose all contact cannot have everything: automatic takeover, production that
 * outlives its isolation, and no third party. Each arbiter gives one of them up.
 */
export const arbiterNames = [
  "operator",
  "lease",
  "witness",
  "reservation",
  "booth",
  "command",
] as const;
export type ArbiterName = (typeof arbiterNames)[number];

/** Each to be read after its label, in one line of 80 columns: at most 68 letters, ASCII. */
export type Tradeoff = {
  readonly needs: string;
  readonly survives: string;
  readonly givesUp: string;
};

export const tradeoffs: Readonly<Record<ArbiterName, Tradeoff>> = {
  operator: {
    needs: "a person who makes sure that the other site is down",
    survives: "every failure, for as long as somebody answers",
    givesUp: "automatic takeover; \"never two\" rests on the person's word",
  },
  lease: {
    needs: "a watchdog at each host, equal timings, a stop hook that works",
    survives: "loss of production's hosts or site, of one path, of the standby",
    givesUp: "an outage of all links stops production and moves it",
  },
  witness: {
    needs: "all that lease needs, and a host at a third site",
    survives: "loss of either site, of all links between them, or of the witness",
    givesUp: "automatic takeover while the witness is lost; a third site",
  },
  reservation: {
    needs: "one SCSI volume that hosts of both sites reach, and its array",
    survives: "hosts that hang, pause or are cut off: the array bars their writes",
    givesUp: "takeover without that array; it spans no two separate arrays",
  },
  booth: {
    needs: "booth at both sites, an arbitrator at a third, all configured",
    survives: "loss of one of the three, and of all links to one of them",
    givesUp: "time: the ticket must expire; cut off from both others, a site stops",
  },
  command: {
    needs: "a program that switches the other site off and sees that it is",
    survives: "failures of hosts, while the way to their power lives",
    givesUp: "automatic takeover when that way is lost along with the site",
  },
}; // biome-ignore format: a table

const labelColumns = 12;

/** Two lines for people. */
export function tradeoffLines(name: ArbiterName): readonly string[] {
  const { survives, givesUp } = tradeoffs[name];
  return [
    `${"survives:".padEnd(labelColumns)}${survives}`,
    `${"gives up:".padEnd(labelColumns)}${givesUp}`,
  ];
}
