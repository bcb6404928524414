/** Printable ASCII, whatever a device holds. */
export function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
