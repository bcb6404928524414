/** Sizes as people say them. */

const units = ["KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** "64.0 MiB"; exact below one KiB. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** Printable ASCII on one line, whatever a device or its user put there. */
export function plainText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
