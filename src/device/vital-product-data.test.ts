import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseDesignators, worldWideName } from "./vital-product-data.ts";

/** One designator: code set, association, type, and its bytes. */
function designator(codeSet: number, association: number, type: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([codeSet, (association << 4) | type, 0, bytes.length]), bytes]);
}

function page(...designators: readonly Buffer[]): Buffer {
  const body = Buffer.concat(designators);
  return Buffer.concat([Buffer.from([0, 0x83, body.length >> 8, body.length & 0xff]), body]);
}

const naa = designator(1, 0, 3, Buffer.from("60060e8007c3af000030c3af00000102", "hex"));
const eui = designator(1, 0, 2, Buffer.from("0002ac0000000123", "hex"));
const t10 = designator(2, 0, 1, Buffer.from("HITACHI R50C3AF0102\0\0"));
const targetPort = designator(1, 1, 3, Buffer.from("50060e8007c3af00", "hex"));
const relativePort = designator(1, 1, 4, Buffer.from([0, 0, 0, 1]));

test("the name that is unique in the world comes first", () => {
  assert.is(
    worldWideName(page(t10, targetPort, relativePort, eui, naa)),
    "naa.60060e8007c3af000030c3af00000102",
  );
  assert.is(worldWideName(page(t10, eui)), "eui.0002ac0000000123");
  assert.is(worldWideName(page(t10)), "t10.HITACHI R50C3AF0102");
});

test("names of ports are not names of the volume", () => {
  assert.is(worldWideName(page(targetPort, relativePort)), null);
  assert.equal(
    parseDesignators(page(targetPort, naa)).map((found) => found.scheme),
    ["naa"],
  );
});

test("nothing is read beyond what the device sent", () => {
  const whole = page(t10, naa);
  for (let length = 0; length < whole.length; length++) {
    const found = parseDesignators(whole.subarray(0, length));
    assert.ok(found.length < 2, `cut at ${length}`);
  }
  const lying = Buffer.from(page(naa));
  lying[4 + 3] = 255; // a designator longer than its page
  assert.equal(parseDesignators(lying), []);
  assert.equal(parseDesignators(Buffer.from([0, 0x80, 0, 4, 1, 2, 3, 4])), []);
  assert.equal(parseDesignators(page(designator(2, 0, 1, Buffer.from("  \0")))), []);
});

test.run();
