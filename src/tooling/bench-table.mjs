// The rows of the bench, and the table of at most 80 columns that people read.
export const widthMax = 80;

const number = (value) =>
  value === null || Number.isNaN(value)
    ? "-"
    : value >= 100
      ? value.toFixed(0)
      : value >= 10
        ? value.toFixed(1)
        : value.toFixed(2);

/** `value` beside `limit` of `who`; a reason in place of who is not there. */
export function row(what, unit, value, who, limit, skipped = null) {
  const ratio = skipped || limit === null || !(limit > 0) ? null : value / limit;
  return { what, unit, value, who, limit: skipped ? null : limit, ratio, skipped };
}

function lineOf({ what, unit, value, who, limit, ratio, skipped }) {
  const ours = `${number(value)} ${unit}`;
  const theirs = skipped ? `skipped: ${skipped}` : limit === null ? "" : `${number(limit)} ${unit}`;
  const times = ratio === null ? "" : `${number(ratio)} x`;
  const left = `${what.padEnd(25)}${ours.padStart(13)}  ${who.padEnd(20)}`;
  return skipped ? `${left}${theirs}` : `${left}${theirs.padStart(11)}${times.padStart(9)}`;
}

export function tableText(sections) {
  const head = `${"".padEnd(25)}${"mirrorbeat".padStart(13)}  ${"beside".padEnd(20)}${"".padStart(11)}${"ratio".padStart(9)}`;
  const lines = [head];
  for (const { title, rows } of sections) lines.push("", title, ...rows.map(lineOf));
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}
