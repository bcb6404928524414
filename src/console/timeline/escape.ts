/** The one way by which a text comes into SVG or HTML: as text, never as markup. */

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For text and for values of attributes in quotes; what XML does not allow becomes `?`. */
export function escaped(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e\n]/g, "?")
    .replaceAll(/[&<>"']/g, (char) => entities[char] ?? "?");
}
