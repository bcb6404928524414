import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type KeyPath, locateKeys } from "./config-locate.ts";

const text = `top = 1 # a comment with [brackets] and "quotes"
"quoted key" = 2
dotted.key.deep = 3
multi = """
[not.a.table]
no = "key" \\"""
""""" # five quotes end it
literal = '''
x = 1
'''
list = [
  1, # one
  [2, 3], { inner = 4,
  other = 5 },
]
date = 1979-05-27 07:32:00
[table]
a = "]"
inline = { x = 1, y.z = "}" }
[table.sub]
b = 1
[[sites]]
name = "one"
[[sites.hosts]]
slot = 0
[[sites.hosts]]
slot = 1
[[sites]]
name = "two"
[[sites.hosts]]
slot = 2
[sites.extra]
e = 1
[ 'a b' . c ]
d = 1
`;

const expected: readonly (readonly [KeyPath, number])[] = [
  [["top"], 1],
  [["quoted key"], 2],
  [["dotted", "key", "deep"], 3],
  [["dotted", "key"], 3],
  [["multi"], 4],
  [["literal"], 8],
  [["list"], 11],
  [["list", 0], 12],
  [["list", 1], 13],
  [["list", 2], 13],
  [["list", 2, "inner"], 13],
  [["list", 2, "other"], 14],
  [["date"], 16],
  [["table"], 17],
  [["table", "a"], 18],
  [["table", "inline", "x"], 19],
  [["table", "inline", "y", "z"], 19],
  [["table", "sub", "b"], 21],
  [["sites", 0], 22],
  [["sites", 0, "name"], 23],
  [["sites", 0, "hosts", 0], 24],
  [["sites", 0, "hosts", 1, "slot"], 27],
  [["sites", 1], 28],
  [["sites", 1, "name"], 29],
  [["sites", 1, "hosts", 0, "slot"], 31],
  [["sites", 1, "extra", "e"], 33],
  [["a b", "c", "d"], 35],
];

test("finds every kind of key in text that the parser accepts", () => {
  parse(text);
  const { lineOf } = locateKeys(text);
  for (const [path, line] of expected) assert.is(lineOf(path), line, path.join("."));
});

test("a key that is not there has the line of the table around it", () => {
  const { lineOf } = locateKeys(text);
  assert.is(lineOf(["sites", 1, "hosts", 0, "missing"]), 30);
  assert.is(lineOf(["nowhere"]), 0);
});

test("carriage returns and a byte order mark do not shift lines", () => {
  const { lineOf } = locateKeys(`\ufeff# first\r\na = 1\r\n\r\n[t]\r\nb = 2\r\n`);
  assert.is(lineOf(["a"]), 2);
  assert.is(lineOf(["t", "b"]), 5);
});

test("quotes at the end of a long string belong to it", () => {
  const listed = 'quotes = ["""a""""",\n{ k = 1 }]\n';
  parse(listed);
  assert.is(locateKeys(listed).lineOf(["quotes", 1, "k"]), 2);
});

test("a second definition is noted with the line of the first", () => {
  const { repeated } = locateKeys("a = 1\n[t]\nb = 1\nb = 2\n[t]\n");
  assert.equal(repeated.get(4), { key: "b", firstLine: 3 });
  assert.equal(repeated.get(5), { key: "t", firstLine: 2 });
});

/** Every path of keys in a parsed document. */
function pathsOf(value: unknown, path: KeyPath): readonly KeyPath[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [
    [...path, key],
    ...pathsOf(item, [...path, key]),
  ]);
}

test("in any document, the line of a key holds that key", () => {
  const key = fc.stringMatching(/^[a-z]{1,6}$/);
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string()));
  const { table } = fc.letrec((tie) => ({
    table: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      tie("table"),
      fc.array(tie("table"), { minLength: 1, maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(table, (document) => {
      const written = stringify(document as Record<string, unknown>);
      const lines = written.split("\n");
      const { lineOf } = locateKeys(written);
      for (const path of pathsOf(parse(written), []).filter((each) => each.length <= 12)) {
        const line = lines[lineOf(path) - 1] ?? "";
        assert.ok(line.includes(String(path.at(-1))), `${path.join(".")} in: ${line}`);
      }
    }),
    { numRuns: 300 },
  );
});

test("any text at all is walked to its end", () => {
  const parts = fc.constantFrom(
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "'''",
    "=",
    ".",
    ",",
    "#",
    "\n",
    "\\",
    "a",
    " ",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(parts).map((all) => all.join("")),
      ),
      (any) => {
        locateKeys(any).lineOf(["a", 0, "b"]);
      },
    ),
    { numRuns: 2000 },
  );
});

test("long and deep text ends soon", () => {
  const length = 200_000;
  for (const piece of ["[", "{a=", "a.", '"', '"\\', "[[a]]\n", "a=[", "'''"]) {
    locateKeys(piece.repeat(length / piece.length));
  }
});

test.run();
