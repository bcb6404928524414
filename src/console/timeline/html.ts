/**
 * The timeline as one page: what came of it first, then the picture, then every change as a table.
 * It needs no script and no other file, and its own policy forbids both.
 */
import { changesOf } from "./changes.ts";
import { escaped } from "./escape.ts";
import type { Timeline, Tone } from "./model.ts";
import { timelineSvg } from "./svg.ts";
import { schemeCss } from "./svg-style.ts";
import { summaryOf } from "./summary.ts";
import { listTime, relativeText } from "./times.ts";

const rowsMax = 2000;

/** A tone in words: the table needs no colour. */
const weightWords: Readonly<Record<Tone, string>> = {
  quiet: "",
  idle: "",
  active: "serves",
  notice: "note",
  change: "step",
  grave: "grave",
  fault: "fault",
};

const css = `
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 ui-sans-serif,system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1280px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:22px;line-height:1.3;margin:0 0 12px}
h2{font-size:16px;margin:28px 0 8px}
.what{font-size:12px;font-weight:650;letter-spacing:.06em;color:var(--soft);margin:0;
text-transform:uppercase}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}
dt{font-weight:650;font-size:13px;padding-top:2px}
dd{margin:0}
ol{margin:0;padding-left:26px}
ol span,td.n{font-variant-numeric:tabular-nums}
ol span{color:var(--soft);margin-right:6px}
.picture{overflow-x:auto;margin:12px -20px 0;padding:0 20px}
.picture svg{display:block;width:100%;min-width:880px;height:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}
caption{text-align:left;color:var(--soft);padding-bottom:6px}
th,td{text-align:left;vertical-align:top;padding:3px 14px 3px 0;border-bottom:1px solid var(--grid)}
th{font-weight:650;white-space:nowrap}
td.n{white-space:nowrap;color:var(--soft)}
td:last-child{padding-right:0;overflow-wrap:anywhere}
tr.grave td.w,tr.change td.w,tr.active td.w,tr.fault td.w{font-weight:650}
tr.grave td.w{color:var(--grave-line)}
tr.quiet td,tr.idle td{color:var(--soft)}
@media (max-width:600px){dl{grid-template-columns:1fr}dd{margin-bottom:6px}}
@media print{main{max-width:none;padding:0}.picture{margin:0;padding:0}
.picture svg{min-width:0}tr{break-inside:avoid}}
`;

function summaryHtml(timeline: Timeline): string {
  const { lines, moments } = summaryOf(timeline);
  const facts = lines
    .map((line) => {
      const [word = "", ...rest] = line.split("  ");
      return `<dt>${escaped(word)}</dt><dd>${escaped(rest.join(" "))}</dd>`;
    })
    .join("\n");
  const items = moments
    .map(
      ({ atMs, host, words }) =>
        `<li><span>${escaped(relativeText(atMs - timeline.fromMs))}</span>` +
        `<b>${escaped(host)}</b> ${escaped(words)}</li>`,
    )
    .join("\n");
  const list = items === "" ? "" : `<h2>Moments to look at</h2>\n<ol>\n${items}\n</ol>\n`;
  return `<dl>\n${facts}\n</dl>\n${list}`;
}

function tableHtml(timeline: Timeline): string {
  const { changes, leftOut } = changesOf(timeline, rowsMax);
  const rows = changes
    .map(({ atMs, host, tone, words }) => {
      const cells = [
        `<td class="n">${escaped(relativeText(atMs - timeline.fromMs))}</td>`,
        ...(timeline.origin === "wall"
          ? [`<td class="n">${escaped(listTime(atMs, timeline))}</td>`]
          : []),
        `<td>${escaped(host)}</td><td class="w">${weightWords[tone]}</td><td>${escaped(words)}</td>`,
      ];
      return `<tr class="${tone}">${cells.join("")}</tr>`;
    })
    .join("\n");
  const clock = timeline.origin === "wall" ? '<th scope="col">UTC</th>' : "";
  const more = leftOut > 0 ? `; ${leftOut} lesser ones are left out here` : "";
  return (
    `<h2>Every change</h2>\n<div class="wide"><table><caption>${changes.length} changes, oldest ` +
    `first, times in seconds since the beginning${more}</caption>\n<thead><tr>` +
    `<th scope="col">since</th>${clock}<th scope="col">host</th><th scope="col">weight</th>` +
    `<th scope="col">what</th></tr></thead>\n<tbody>\n${rows}\n</tbody></table></div>\n`
  );
}

export function timelineHtml(timeline: Timeline): string {
  const title = escaped(timeline.title);
  return [
    "<!DOCTYPE html>",
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${title}</title>`,
    `<style>${schemeCss}${css}</style></head>`,
    `<body><main><p class="what">mirrorbeat report</p>\n<h1>${title}</h1>`,
    summaryHtml(timeline),
    "<h2>Timeline</h2>",
    `<div class="picture">${timelineSvg(timeline, { isInline: true })}</div>`,
    tableHtml(timeline),
    "</main></body></html>",
    "",
  ].join("\n");
}
