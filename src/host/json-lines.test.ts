import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeLine, LineSplitter, parseLine } from "./json-lines.ts";

function splitAll(chunks: readonly Buffer[], lineBytesMax: number): string[] {
  const splitter = new LineSplitter(lineBytesMax);
  const lines: string[] = [];
  for (const chunk of chunks) {
    splitter.push(chunk);
    for (let line = splitter.next(); line !== null; line = splitter.next()) {
      if (line === "too-long") return [...lines, "!"];
      lines.push(line.toString());
    }
  }
  return lines;
}

test("lines come out the same however the stream is cut", () => {
  const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll("\n", " "));
  const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(fc.array(line), cuts, (lines, sizes) => {
      const stream = Buffer.from(lines.map((text) => `${text}\n`).join(""));
      const chunks: Buffer[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      assert.equal(splitAll(chunks, 1000), lines);
    }),
  );
});

test("a line at the limit passes, one byte more does not, with or without its end", () => {
  const bytes = (text: string) => [Buffer.from(text)];
  assert.equal(splitAll(bytes("12345678\n"), 8), ["12345678"]);
  assert.equal(splitAll(bytes("a\n123456789\n"), 8), ["a", "!"]);
  assert.equal(splitAll(bytes("123456789"), 8), ["!"]);
  assert.equal(splitAll(bytes("12345678"), 8), []);
});

test("only one object in UTF-8 is a request", () => {
  assert.equal(parseLine(Buffer.from('{"a":[1]}')), { ok: true, value: { a: [1] } });
  for (const bad of ["", "[]", "null", "1", '"x"', "{", "{}{}", "x".repeat(100)]) {
    assert.is(parseLine(Buffer.from(bad)).ok, false, bad);
  }
  assert.is(parseLine(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])).ok, false);
  assert.is(parseLine(Buffer.from(`${"[".repeat(50_000)}`)).ok, false);
});

test("any bytes are parsed without an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parseLine(Buffer.from(bytes));
    }),
  );
});

test("what is too long or no JSON is not encoded", () => {
  assert.is(encodeLine({ a: 1 }, 7)?.toString(), '{"a":1}\n');
  assert.is(encodeLine({ a: 1 }, 6), null);
  assert.is(encodeLine({ a: 1n }, 100), null);
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  assert.is(encodeLine(circle, 100), null);
});

test.run();
