/**
 * Reads the XML that Solutions Enabler writes with `-output xml_e`: elements with text or with
 * elements in them, and nothing else. No attributes, no DTD, no CDATA, no processing instructions
 * but the declaration: whoever sends one of these is not the program that is expected.
 * Invariants: nothing is thrown; time grows with the length of the text alone; depth, elements and
 * length are bounded; a text that is cut off or has anything after its root is refused.
 */

export type Element = {
  readonly name: string;
  /** Without the white space around it; empty where there are elements within. */
  readonly text: string;
  readonly children: readonly Element[];
};

type Growing = { readonly name: string; text: string; readonly children: Element[] };

export const xmlLimits = { characters: 1024 * 1024, depth: 12, elements: 20_000 };

const declaration = /^\s*<\?xml( [a-z]+="[\w.-]*")* ?\?>/;
const token = /<(\/?)([A-Za-z_][\w.-]*)[ \t\r\n]*(\/?)>|([^<]+)/y;
const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/** null where a reference is none of those that every XML has, or names no printable ASCII. */
function decode(text: string): string | null {
  let sound = true;
  const decoded = text.replaceAll(/&([^;&]{0,8});?/g, (found, reference: string) => {
    const [, hex, digits] = /^#(x?)([0-9A-Fa-f]{1,4})$/.exec(reference) ?? [];
    const code = digits === undefined ? Number.NaN : Number.parseInt(digits, hex ? 16 : 10);
    const meant = code >= 0x20 && code <= 0x7e ? String.fromCharCode(code) : named[reference];
    if (meant === undefined || !found.endsWith(";")) sound = false;
    return meant ?? "";
  });
  return sound && !/[^\x20-\x7e\t\r\n]/.test(text) ? decoded : null;
}

/** The root element; null where the text is anything but one. */
export function readXml(text: string): Element | null {
  if (text.length > xmlLimits.characters) return null;
  const root: Growing = { name: "", text: "", children: [] };
  const open: Growing[] = [root];
  let elements = 0;
  token.lastIndex = declaration.exec(text)?.[0].length ?? 0;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    const top = open.at(-1);
    if (!match || !top) return null;
    const [, closes, name, closed, content] = match;
    if (name === undefined) {
      const decoded = decode(content ?? "");
      if (decoded === null) return null;
      top.text += decoded;
    } else if (closes) {
      if (closed || top.name !== name || open.length === 1 || !isPlain(top)) return null;
      open.pop();
    } else {
      const element: Growing = { name, text: "", children: [] };
      top.children.push(element);
      elements += 1;
      if (elements > xmlLimits.elements || open.length > xmlLimits.depth) return null;
      if (!closed) open.push(element);
    }
  }
  if (open.length !== 1 || root.children.length !== 1 || root.text.trim() !== "") return null;
  return root.children[0] ?? null;
}

/** Text or elements, not both. */
function isPlain(element: Growing): boolean {
  element.text = element.text.trim();
  return element.text === "" || element.children.length === 0;
}

export const childrenOf = (element: Element, name: string): readonly Element[] =>
  element.children.filter((child) => child.name === name);

/** The only child of that name; null where there is none, or more than one. */
export function childOf(element: Element, name: string): Element | null {
  const found = childrenOf(element, name);
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** The text at the end of a path of only children; null where there is none. */
export function textAt(element: Element, ...names: readonly string[]): string | null {
  let at: Element | null = element;
  for (const name of names) at = at && childOf(at, name);
  return at && at.children.length === 0 && at.text !== "" ? at.text : null;
}
