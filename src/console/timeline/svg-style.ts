/**
 * Colours and patterns of the picture, light and dark. A tone is told by its pattern as well as by
 * its colour, so that a print in grey and a reader who sees no red lose nothing.
 */
import type { Tone } from "./model.ts";

type Palette = Readonly<Record<Tone, readonly [fill: string, line: string, ink: string]>>;

const light: Palette = {
  quiet: ["#d5e9de", "#d5e9de", "#1c4a38"],
  idle: ["#e4e7ea", "#e4e7ea", "#4a535d"],
  active: ["#1d5fa6", "#1d5fa6", "#ffffff"],
  notice: ["#f6dfa6", "#d9a536", "#4f3500"],
  change: ["#6a4bb0", "#8a70c6", "#ffffff"],
  grave: ["#c03a2b", "#da6a5c", "#ffffff"],
  fault: ["#434b57", "#6a7482", "#ffffff"],
};
const dark: Palette = {
  quiet: ["#1e3b30", "#1e3b30", "#a8d8c0"],
  idle: ["#2c333b", "#2c333b", "#b3bcc6"],
  active: ["#2b70c0", "#2b70c0", "#ffffff"],
  notice: ["#5a4214", "#8c6a22", "#ffe2a6"],
  change: ["#7557c2", "#957bdb", "#ffffff"],
  grave: ["#bd3b2d", "#dd6d60", "#ffffff"],
  fault: ["#76818f", "#98a3b1", "#0d1116"],
};

const page = {
  light:
    "--paper:#ffffff;--ink:#1b2027;--soft:#59636e;--grid:#e3e6ea;--band:#f6f7f9;--edge:#c9cfd6",
  dark: "--paper:#12161b;--ink:#e7eaee;--soft:#98a2ad;--grid:#262d35;--band:#181d23;--edge:#3b444e",
};

const entries = (palette: Palette): readonly (readonly [string, Palette[Tone]])[] =>
  Object.entries(palette);

function variables(palette: Palette): string {
  return entries(palette)
    .map(
      ([tone, [fill, line, ink]]) =>
        `--${tone}:${fill};--${tone}-line:${line};--${tone}-ink:${ink}`,
    )
    .join(";");
}

export const schemeCss = [
  `:root{color-scheme:light dark;${page.light};${variables(light)}}`,
  `@media (prefers-color-scheme:dark){:root{${page.dark};${variables(dark)}}}`,
  `@media print{:root{${page.light};${variables(light)}}}`,
].join("\n");

/** Drawn over the ground of a tone; none for those that do not ask for the eye. */
const patternLines: Partial<Record<Tone, string>> = {
  notice: "M0 8L8 0M-2 2L2 -2M6 10L10 6",
  change: "M1 4h2M5 0h2M5 8h2",
  grave: "M0 0L8 8M-2 6L2 10M6 -2L10 2",
  fault: "M0 0L8 8M0 8L8 0",
};

export const patterns = Object.entries(patternLines)
  .map(
    ([tone, lines]) =>
      `<pattern id="p-${tone}" width="8" height="8" patternUnits="userSpaceOnUse">` +
      `<rect width="8" height="8" style="fill:var(--${tone})"/>` +
      `<path d="${lines}" style="stroke:var(--${tone}-line);stroke-width:1.4;fill:none"/></pattern>`,
  )
  .join("");

/** Outlines that would be too pale on paper. */
const outlines: Readonly<Record<string, string>> = {
  quiet: "soft",
  idle: "soft",
  notice: "notice-line",
};

const toneCss = Object.keys(light)
  .map((tone) => {
    const fill = tone in patternLines ? `url(#p-${tone})` : `var(--${tone})`;
    return (
      `.${tone}{fill:${fill}}` +
      `.i-${tone}{fill:var(--${tone}-ink);stroke:var(--${tone})}` +
      `.m-${tone}{stroke:var(--${outlines[tone] ?? tone})}`
    );
  })
  .join("\n");

export const svgCss = `
.tl{font:11px ui-sans-serif,system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.tl text{fill:var(--ink)}
.tl .paper{fill:var(--paper)}
.tl .band{fill:var(--band)}
.tl .title{font-size:17px;font-weight:650}
.tl .head{font-size:13px;font-weight:650}
.tl .soft{fill:var(--soft)}
.tl .strong{font-weight:650}
.tl .right{text-anchor:end}
.tl .mid{text-anchor:middle}
.tl .num{font-variant-numeric:tabular-nums}
.tl .grid{stroke:var(--grid);stroke-width:1;fill:none}
.tl .edge{stroke:var(--edge);stroke-width:1;fill:none}
.tl .moment{stroke:var(--ink);stroke-width:1;fill:none;opacity:.5}
.tl .disc{fill:var(--ink)}
.tl .disc-ink{fill:var(--paper);font-size:10px;font-weight:700;text-anchor:middle}
.tl .beat{stroke:var(--soft);stroke-width:1;fill:none}
.tl .bar{stroke:var(--paper);stroke-width:.75}
.tl .unsure{fill-opacity:.3;stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
.tl .in{stroke-width:2.5px;stroke-linejoin:round;paint-order:stroke;pointer-events:none}
.tl .in-unsure{fill:var(--soft);pointer-events:none}
.tl .mark{fill:var(--paper);stroke-width:1.3}
.tl .stem{stroke-width:1;fill:none}
.tl .letter{font-size:9.5px;font-weight:650;text-anchor:middle;pointer-events:none}
${toneCss.replaceAll(/(^|\})\./gm, "$1.tl .")}
`;
