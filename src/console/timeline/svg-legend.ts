/** What tones, badges and letters mean: those that occur. */
import { escaped } from "./escape.ts";
import { hasUnsure, markLegend, stateLegend } from "./legend.ts";
import { type Lane, type Tone, tones } from "./model.ts";
import { charWidth, type Drawn, fixed, margin, pictureWidth } from "./svg-place.ts";

const toneWords: Readonly<Record<Tone, string>> = {
  quiet: "as it should be",
  idle: "starting, off or not known",
  active: "serves",
  notice: "degraded: stay calm",
  change: "under way, or may take over",
  grave: "silent, broken, or on hold",
  fault: "fault that was injected",
};

export function legendSvg(lanes: readonly Lane[], top: number): Drawn {
  const parts: string[] = [];
  let x = margin + 12;
  let y = top + 8;
  const next = (width: number): void => {
    if (x + width > pictureWidth - margin) {
      x = margin + 12;
      y += 22;
    }
  };
  const spans = lanes.flatMap(({ spans: own }) => own);
  const used = new Set(spans.map(({ tone }) => tone));
  const swatch = (tone: string, words: string): void => {
    const width = 34 + words.length * charWidth + 16;
    next(width);
    parts.push(
      `<rect class="${tone}" x="${fixed(x)}" y="${y}" width="26" height="13" rx="2"/>` +
        `<text class="soft" x="${fixed(x + 32)}" y="${y + 10.5}">${escaped(words)}</text>`,
    );
    x += width;
  };
  for (const tone of tones) if (used.has(tone)) swatch(`${tone} bar`, toneWords[tone]);
  if (hasUnsure(lanes)) swatch("idle unsure", "as last told, nothing told since");
  const row = (): void => {
    if (x === margin + 12) return;
    x = margin + 12;
    y += 22;
  };
  row();
  for (const [letter, words] of markLegend(lanes)) {
    const width = 24 + words.length * charWidth + 16;
    next(width);
    parts.push(
      `<rect class="mark m-idle" x="${fixed(x)}" y="${y}" width="15" height="14" rx="7"/>` +
        `<text class="letter" x="${fixed(x + 7.5)}" y="${y + 10.5}">${escaped(letter)}</text>` +
        `<text class="soft" x="${fixed(x + 20)}" y="${y + 10.5}">${escaped(words)}</text>`,
    );
    x += width;
  }
  row();
  for (const { name, words } of stateLegend(lanes)) {
    const text = `${name}: ${words.join(", ").replace("then, ", "then ")}`;
    const width = text.length * charWidth + 24;
    next(width);
    parts.push(`<text class="soft" x="${fixed(x)}" y="${y + 10.5}">${escaped(text)}</text>`);
    x += width;
  }
  return { svg: parts.join("\n"), height: y - top + 26 };
}
