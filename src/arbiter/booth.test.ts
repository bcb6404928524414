/** The booth arbiter with a stand-in for booth's client, and every line that booth prints. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openBooth, judgeList } from "./booth.ts";
import { findTicket, ownAddress } from "./booth-list.ts";

const own = "10.79.0.1";
const nowMs = new Date("2026-03-01T10:00:00").getTime();
const later = "2026-03-01 10:28:57";
const request = { site: "tokyo", peer: "osaka", term: 257n, limitMs: 20_000 };

for (const [line, kind] of [
  [`ticket: db, leader: ${own}, expires: ${later}`, "granted"],
  [`ticket: db, leader: ${own}, expires: ${later}, commit: 3`, "granted"],
  [`ticket: other, leader: NONE\nticket: db, leader: ${own}, expires: ${later}`, "granted"],
  [`ticket: db, leader: ${own}, expires: ${later} (commit pending until ${later})`, "unknown"],
  [`ticket: db, leader: ${own}, expires: ${later}, commit: 3 (pending until ${later})`, "unknown"],
  [`ticket: db, leader: ${own}, expires: 2026-03-01 09:59:59`, "denied"],
  [`ticket: db, leader: ${own}, expires: 2026-03-01 10:00:00`, "denied"],
  [`ticket: db, leader: ${own}, expires: INF`, "unknown"],
  [`ticket: db, leader: ${own}, expires: INF [manual mode]`, "unknown"],
  [`ticket: db, leader: ${own}, expires: ${later} [manual mode]`, "unknown"],
  [`ticket: db, leader: ${own}`, "unknown"],
  [`ticket: db, leader: 10.79.0.2, expires: ${later}`, "denied"],
  [`ticket: db, leader: 10.79.0.11, expires: ${later}`, "denied"],
  ["ticket: db, leader: NONE", "denied"],
  ["ticket: db, leader: none", "denied"],
  [`ticket: db, leader: ${own}, expires: 2026-13-01 10:28:57`, "unknown"],
  [`ticket: db, leader: ${own}, expires: ${later}, lost`, "unknown"],
  [`ticket: db, leader: ${own}, expires: ${later}\nticket: db, leader: NONE`, "unknown"],
  [`ticket: db2, leader: ${own}, expires: ${later}`, "unknown"],
  [
    `ticket: db, leader: ${own}, expires: ${later}\n\nWARNING: The ticket db is granted to multiple sites: ${own}, 10.79.0.2.`,
    "unknown",
  ],
  ["", "unknown"],
] as const) {
  test(`${kind}: ${JSON.stringify(line)}`, () => {
    assert.is(judgeList(`${line}\n`, "db", own, nowMs).kind, kind);
  });
}

test("an IPv6 site", () => {
  const line = `ticket: db, leader: fd00::1, expires: ${later}\n`;
  assert.is(judgeList(line, "db", "fd00::1", nowMs).kind, "granted");
});

test("a list cut short anywhere, or with one letter changed, gives no other ticket's leader", () => {
  const whole = `ticket: db, leader: 10.79.0.2, expires: ${later}\n`;
  for (let length = 0; length < whole.length; length++) {
    assert.is.not(judgeList(whole.slice(0, length), "db", own, nowMs).kind, "granted");
    for (const letter of ["x", " ", ",", "\n", "9"]) {
      const changed = whole.slice(0, length) + letter + whole.slice(length + 1);
      assert.is.not(judgeList(changed, "db", own, nowMs).kind, "granted", changed);
    }
  }
});

test("booth's own address", () => {
  const status = `booth_lockpid=12 booth_state=started booth_type=site booth_cfg_name='booth' booth_id=1 booth_addr_string='${own}' booth_port=9929`;
  assert.is(ownAddress(status), own);
  assert.is(ownAddress(status.replace("type=site", "type=arbitrator")), null);
  assert.is(ownAddress(status.replace(own, "")), null);
  assert.is(ownAddress(""), null);
  assert.is(findTicket("ticket: a.b, leader: NONE", "aXb").ok, false);
});

test("what a real booth printed, step by step, to both of its sites", () => {
  const parts = readFileSync("fixtures/arbiters/booth-1.0.txt", "utf8").split(/^\$ /m).slice(1);
  const told = parts.map((part) => {
    const [title = "", ...lines] = part.split("\n");
    return { title, text: lines.join("\n").split("#exit")[0] ?? "" };
  });
  const addresses = told.filter(({ title }) => title.startsWith("status"));
  assert.equal(
    addresses.map(({ text }) => ownAddress(text)),
    [own, null],
  );
  const at = new Date("2026-11-22T17:40:40").getTime();
  const lists = told.filter(({ title }) => title.startsWith("list"));
  const kinds = (ticket: string, address: string) =>
    lists.map(({ text }) => judgeList(text, ticket, address, at).kind.slice(0, 1)).join("");
  // Nobody; granted to .1 three times; revoked; granted, cut off, moved to .2, seen from .1.
  assert.is(kinds("db", own), "dgggdgdd");
  assert.is(kinds("db", "10.79.0.2"), "ddddddgd");
  // Never by a ticket in manual mode, least of all when booth warns of two.
  assert.is(kinds("hand", own), "dduuuuuu");
  assert.is(kinds("hand", "10.79.0.2"), "dduuuuuu".replace("u", "d"));
});

/**
 * The stand-in: a ticket in a file, granted unless the other site has it; BODY runs first, with the
 * verb in $1. Its times are far ahead, so that the test needs no clock.
 */
async function withBooth(
  body: string,
  check: (
    booth: ReturnType<typeof openBooth>,
    at: { has(address: string): void; said(): string[] },
  ) => Promise<void>,
  address: string | undefined = own,
): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-booth-"));
  const file = path.join(folder, "booth");
  const has = (site: string) => writeFileSync(path.join(folder, "leader"), site);
  const script = `#!/bin/sh
cd ${folder}; echo "$@" >>said; leader=$(cat leader)
${body}
case $1 in
  status) echo "booth_state=started booth_type=site booth_addr_string='${own}'" ;;
  list) [ $leader = NONE ] && echo "ticket: db, leader: NONE" && exit
    echo "ticket: db, leader: $leader, expires: 2099-01-01 00:00:00" ;;
  grant) case $leader in NONE | ${own}) echo ${own} >leader ;;
    *) echo "ticket already granted" >&2; exit 1 ;; esac ;;
  revoke) echo NONE >leader ;;
esac
`;
  try {
    writeFileSync(file, script);
    chmodSync(file, 0o755);
    has("NONE");
    const settings = { kind: "booth", ticket: "db", client: [file], limitMs: 20_000 } as const;
    const booth = openBooth(address === undefined ? settings : { ...settings, address });
    const said = () => readFileSync(path.join(folder, "said"), "utf8").trim().split("\n");
    await check(booth, { has, said });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const kind = async (answer: Promise<{ kind: string }>) => (await answer).kind;

test("asked, held, asked again, given away", () =>
  withBooth("", async (booth, { said }) => {
    assert.is(await kind(booth.holds(request)), "denied");
    assert.is(await kind(booth.ask(request)), "granted");
    assert.equal(said().slice(-3), ["list", "grant -w db", "list"]);
    assert.is(await kind(booth.holds(request)), "granted");
    assert.is(await kind(booth.ask(request)), "granted");
    assert.is(
      said().filter((line) => line.startsWith("grant")).length,
      1,
      "what it has, it needs not ask for",
    );
    assert.is(await kind(booth.release(request)), "granted");
    assert.is(await kind(booth.holds(request)), "denied");
    assert.is(await kind(booth.release(request)), "granted", "twice");
  }));

test("the other site has it: denied, and it keeps it", () =>
  withBooth("", async (booth, { has }) => {
    has("10.79.0.2");
    const answer = await booth.ask(request);
    assert.is(answer.kind, "denied");
    assert.match(answer.detail, "10.79.0.2 has it");
    assert.match(answer.detail, "already granted");
    assert.is(await kind(booth.holds(request)), "denied");
  }));

test("what another site has is never revoked", () =>
  withBooth("", async (booth, { has, said }) => {
    has("10.79.0.2");
    assert.is(await kind(booth.release(request)), "granted");
    assert.not(said().some((line) => line.startsWith("revoke")));
  }));

test("only the list decides: a grant that says well and did nothing is denied", () =>
  withBooth('[ "$1" = grant ] && exit 0', async (booth) => {
    assert.is(await kind(booth.ask(request)), "denied");
  }));

test("a grant that reports a failure and yet came about is granted", () =>
  withBooth(`[ "$1" = grant ] && echo ${own} >leader && exit 1`, async (booth) => {
    assert.is(await kind(booth.ask(request)), "granted");
  }));

test("a grant that hangs: unknown, for it may still come", () =>
  withBooth('[ "$1" = grant ] && sleep 60', async (booth) => {
    assert.is(await kind(booth.ask({ ...request, limitMs: 4000 })), "unknown");
  }));

for (const [what, body] of [
  ["that fails", "exit 1"],
  ["that is killed", "kill -9 $$"],
  ["that says nothing", "exit 0"],
  [
    "that says what it should and fails",
    `echo "ticket: db, leader: ${own}, expires: 2099-01-01 00:00:00"; exit 7`,
  ],
] as const) {
  test(`a list ${what} is unknown`, () =>
    withBooth(`[ "$1" = list ] && { ${body}; }`, async (booth) => {
      assert.is(await kind(booth.holds(request)), "unknown");
      assert.is(await kind(booth.ask(request)), "unknown");
    }));
}

test("without an address the local booth is asked; one that does not tell is unknown", async () => {
  await withBooth("", async (booth, { said }) => {
    assert.is(await kind(booth.ask(request)), "granted");
    assert.is(said()[0], "status");
  }, "");
  await withBooth('[ "$1" = status ] && exit 7', async (booth) => {
    const answer = await booth.ask(request);
    assert.is(answer.kind, "unknown");
    assert.match(answer.detail, "configure it");
  }, "");
}); // biome-ignore format: two benches

test("no booth at all is unknown", async () => {
  const booth = openBooth({ kind: "booth", ticket: "db", client: ["/nowhere/booth"], address: own, limitMs: 5000 }); // biome-ignore format: one line
  assert.is(await kind(booth.holds(request)), "unknown");
  assert.is(await kind(booth.ask(request)), "unknown");
});

test("options of the client go behind its verb, where booth wants them", () => {
  const client = ["/usr/sbin/booth", "-c", "other"];
  const { describe } = openBooth({ kind: "booth", ticket: "db", client, address: own, limitMs: 1 });
  assert.equal(describe.slice(0, 2), [
    "/usr/sbin/booth list -c other",
    "/usr/sbin/booth grant -c other -w db",
  ]);
});

test("describe names the real client, and never crm_ticket", () => {
  const { describe } = openBooth({ kind: "booth", ticket: "db", client: [], limitMs: 1000 });
  assert.equal(describe.slice(0, 3), ["booth status", "booth list", "booth grant -w db"]);
  assert.not.match(describe.join(), "crm_ticket");
});

test.run();
