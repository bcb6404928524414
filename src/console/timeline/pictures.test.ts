/** The three pictures: whole, bounded, and nothing in them that a journal wrote as markup. */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseEventLine } from "../../core/base/event.ts";
import { isConsoleText } from "../../testing/verb-run.ts";
import { timelineHtml } from "./html.ts";
import type { Timeline, Told } from "./model.ts";
import { timelineSvg } from "./svg.ts";
import { timelineText } from "./text.ts";
import { timelineOf } from "./timeline.ts";

const golden = "fixtures/report/takeover.txt";

function journal(host: string, site: string): readonly Told[] {
  const lines = readFileSync(`fixtures/report/${host}.log`, "utf8").trim().split("\n");
  return lines.map((line) => {
    const event = parseEventLine(line);
    return { host, site, atMs: Date.parse(event?.time ?? ""), fields: event?.fields ?? {} };
  });
}

/** Production's journal and the standby's, of a demo: a takeover between them. */
const takeover = timelineOf({ told: [...journal("a1", "a"), ...journal("b1", "b")] });

/** Reads XML strictly enough to find a tag that is not closed, or a text that is markup. */
function faultOfXml(text: string): string | null {
  const open: string[] = [];
  const token = /<(\/?)([A-Za-z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)|</g;
  for (const [whole, closing, name = "", attributes = "", empty, content] of text.matchAll(token)) {
    if (name === "" && content === undefined) return `a stray < near ${open.join(">")}`;
    const bad = /&(?!(amp|lt|gt|quot|#39);)/.exec(`${attributes}${content ?? ""}`);
    if (bad) return `a stray & in ${whole.slice(0, 60)}`;
    if (name === "") continue;
    if (closing) {
      const last = open.pop();
      if (last !== name) return `</${name}> closes <${last}>`;
    } else if (!empty) open.push(name);
  }
  return open.length > 0 ? `not closed: ${open.join(", ")}` : null;
}

test("the checker of this test finds what it is for", () => {
  assert.is(faultOfXml('<a b="1"><c/>x &amp; y</a>'), null);
  for (const bad of ["<a>", "<a></b>", "<a>x < y</a>", "<a>x & y</a>", '<a b="x<y"></a>'])
    assert.ok(faultOfXml(bad), bad);
});

test("the text of a takeover, as it was recorded", () => {
  const text = timelineText(takeover);
  if (process.env["UPDATE_FIXTURES"] === "1") writeFileSync(golden, text);
  assert.is(text, readFileSync(golden, "utf8"), "UPDATE_FIXTURES=1 writes it anew");
  assert.ok(isConsoleText(text), text);
});

test("the text takes the width that it is given", () => {
  for (const width of [60, 100, 160]) {
    const lines = timelineText(takeover, width).split("\n");
    assert.ok(lines.every((line) => line.length <= width));
    assert.ok(lines.some((line) => line.length === width));
  }
});

test("the SVG is whole, stands alone, and speaks to who cannot see it", () => {
  const svg = timelineSvg(takeover);
  assert.is(faultOfXml(svg), null);
  assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*role="img"/);
  assert.match(svg, /<title id="tl-t">Timeline: a1 of site a; b1 of site b/);
  assert.match(svg, /<desc id="tl-d">ACTIVE/);
  assert.match(svg, /prefers-color-scheme:dark/);
  const rest = svg.replace('xmlns="http://www.w3.org/2000/svg"', "");
  assert.not.match(rest, /https?:|<script|<image|<foreignObject|@import|xlink|\son\w+=|href=/i);
  assert.not.match(rest, /url\((?!#p-)/);
  assert.not.match(rest, /NaN|undefined|Infinity/);
});

test("colour is not the only sign: tones that matter have a pattern, each bar a hint", () => {
  const svg = timelineSvg(takeover);
  for (const tone of ["notice", "change", "grave", "fault"])
    assert.ok(svg.includes(`id="p-${tone}"`) && svg.includes(`fill:url(#p-${tone})`), tone);
  const bars =
    svg.match(/<rect class="\w+ (bar|unsure)" x="[^"]*" y="[^"]*"[^>]*height="15"/g) ?? [];
  const hinted = svg.match(
    /<title>[^<]+<\/title>(<rect class="paper"[^>]*>)?<rect class="\w+ (bar|unsure)"/g,
  );
  assert.ok(bars.length > 50, `${bars.length}`);
  assert.is(hinted?.length, bars.length);
});

test("the page loads nothing, runs nothing, and has its list as a table", () => {
  const html = timelineHtml(takeover);
  const without = html.replace('http-equiv="Content-Security-Policy"', "");
  assert.not.match(without, /http|<script|<link|<img|<iframe|@import|\son\w+=|src=|href=/i);
  assert.match(html, /default-src 'none'; style-src 'unsafe-inline'/);
  assert.match(html, /<th scope="col">UTC<\/th>/);
  assert.match(html, /<caption>\d+ changes/);
  const body = html.slice(html.indexOf("<body>"), html.indexOf("</html>"));
  assert.is(faultOfXml(body), null);
  assert.not.match(body, /NaN|undefined|Infinity/);
});

const hostile = `</title><script>alert(1)</script><img src=x onerror="a()">&'\u0000\u202e\ud800`;

test("whatever a journal holds comes out as text", () => {
  const fields = {
    level: hostile, site: hostile, host: hostile, path: hostile, state: hostile, mirror: hostile,
    row: hostile, action: hostile, verdict: hostile, role: hostile, reason: hostile, step: hostile,
    kind: hostile, name: hostile,
  }; // biome-ignore format: every field
  const kinds = ["start", "path", "pair", "verdict", "group", "role", "takeover", "switch", "hook"];
  const told = kinds.map((ev, n) => ({
    host: hostile,
    site: hostile,
    atMs: n,
    fields: { ...fields, ev },
  }));
  const timeline = timelineOf({
    told,
    title: hostile,
    notes: [hostile],
    faults: [{ fromMs: 0, toMs: 5, text: hostile, target: hostile }],
    beats: [{ path: hostile, from: hostile, to: hostile, atMs: [1] }],
    services: [{ host: hostile, fromMs: 0, toMs: null }],
  });
  const text = timelineText(timeline);
  assert.ok(isConsoleText(text), text);
  for (const picture of [timelineSvg(timeline), timelineHtml(timeline)]) {
    assert.match(picture, /^[\x20-\x7e\n]*$/);
    assert.not.match(picture, /<script|<img/i);
    assert.ok(picture.includes("&lt;script&gt;"));
    assert.is(
      faultOfXml(picture.slice(picture.indexOf("<svg"), picture.indexOf("</svg>") + 6)),
      null,
    );
  }
});

test("a moment, or nothing at all, is drawn too", () => {
  const one: Told = { host: "o1", site: "osaka", atMs: 7, fields: { ev: "role", role: "active" } };
  for (const timeline of [timelineOf({ told: [] }), timelineOf({ told: [one] })]) {
    assert.ok(isConsoleText(timelineText(timeline)));
    assert.is(faultOfXml(timelineSvg(timeline)), null);
    for (const picture of [timelineText(timeline), timelineSvg(timeline), timelineHtml(timeline)])
      assert.not.match(picture, /NaN|undefined|Infinity/);
  }
});

function manyEvents(count: number, peers: number): Timeline {
  const told: Told[] = [];
  for (let n = 0; n < count; n++) {
    const host = `t${n % peers}`;
    const ev = n % 3 === 0 ? "path" : n % 3 === 1 ? "verdict" : "rejected";
    const odd = Math.floor(n / peers / 3) % 2 === 1;
    const fields = {
      ev,
      host,
      path: "lan",
      state: odd ? "ok" : "stale",
      row: odd ? "1" : "9",
      action: odd ? "none" : "hold",
    };
    told.push({
      host: "o1",
      site: "osaka",
      atMs: n * 700,
      fields: { level: "warning", ...fields },
    });
  }
  return timelineOf({ told });
}

test("50,000 events make files of sane size, in little time, and say what is left out", () => {
  for (const peers of [1, 400]) {
    const beganMs = performance.now();
    const timeline = manyEvents(50_000, peers);
    const text = timelineText(timeline);
    const svg = timelineSvg(timeline);
    const html = timelineHtml(timeline);
    const tookMs = performance.now() - beganMs;
    assert.ok(text.length < 100_000, `text ${text.length}`);
    assert.ok(svg.length < 3_000_000, `svg ${svg.length}`);
    assert.ok(html.length < 3_500_000, `html ${html.length}`);
    assert.ok(tookMs < 20_000, `${tookMs} ms`);
    assert.match(text, /\d+ lesser changes are left out/);
    assert.match(html, /\d+ lesser ones are left out here/);
    if (peers === 1) assert.match(svg, /changes too close to draw/);
    if (peers === 400) assert.match(svg, /\d+ calm lanes are left out/);
  }
});

test("heartbeats are drawn once a pixel, however many there are", () => {
  const atMs = Array.from({ length: 200_000 }, (_, n) => n * 10);
  const timeline = timelineOf({
    told: [],
    origin: "virtual",
    title: "seed 7",
    beats: [{ path: "lan", from: "t1", to: "o1", atMs }],
  });
  const svg = timelineSvg(timeline);
  assert.ok(svg.length < 60_000, `${svg.length}`);
  assert.match(svg, /200000 heartbeats/);
  assert.match(svg, /simulated time/);
  assert.match(timelineText(timeline), /^REPORT {2}seed 7: \+0\.000 to /);
});

test("a short fault in a long run is seen in every picture", () => {
  const at = (atMs: number, state: string): Told => ({
    host: "o1", site: "osaka", atMs, fields: { ev: "path", host: "t1", path: "lan", state, level: "notice" },
  }); // biome-ignore format: one event
  const day = timelineOf({
    told: [at(0, "ok"), at(40_000_000, "stale"), at(40_000_005, "ok"), at(86_000_000, "ok")],
  });
  assert.match(timelineText(day), /=+S=+/);
  assert.match(timelineSvg(day), /class="grave bar"/);
});

test.run();
