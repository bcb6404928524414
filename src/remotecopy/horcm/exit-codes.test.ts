/** Every documented code, compared with a table of its own. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { classOfExit, errorCodes, explainExit } from "./exit-codes.ts";

/** Names by code, from the manuals' tables; 131 and 252 to 253 have several. */
const names = {
  199: "CTXCHK", 200: "EACCES", 202: "ENAUTH", 203: "EPPERM", 204: "ENQCLP", 205: "ENOOBJ",
  206: "ENOPOL", 207: "ESPERM", 208: "EPRORT", 209: "ESVOLD", 210: "ENOSUP", 211: "ERPERM",
  212: "ENQSIZ", 213: "ENPERM", 214: "ENQCTG", 215: "ENXCTG", 216: "EXTCTG", 217: "ENOCTG",
  218: "ENQSER", 219: "ENOUNT", 220: "INVMUN", 221: "CMDRJE", 222: "INVVOL", 223: "VOLCRE",
  224: "VOLCUE", 225: "VOLCUR", 226: "INVRCD", 227: "ENLDEV", 228: "INVSTP", 229: "INCSTG",
  230: "UNWCMD", 231: "ESTMON", 232: "EWSLTO", 233: "EWSTOT", 234: "EWSUSE", 235: "EVOLCE",
  236: "ENQVOL", 237: "CMDIOE", 238: "UNWCOD", 239: "ENOGRP", 240: "INVCMD", 241: "INVMOD",
  242: "ENORMT", 243: "ENAMLG", 244: "ERANGE", 245: "ENOMEM", 246: "ENODEV", 247: "ENOENT",
  248: "OPTINV", 249: "INVNAM", 250: "ATTDBG", 251: "ATTHOR", 252: "UNWOPT", 253: "INVARG",
  254: "REQARG", 255: "COMERR",
}; // biome-ignore format: a table

test("every code has its name, its class and words", () => {
  const found = Object.entries(errorCodes).map(([code, { name }]) => [code, name]);
  const wanted = Object.entries(names).map(([code, name]) => [code, `EX_${name}`]);
  assert.equal(found, [["131", "EW_*"], ...wanted]);
  for (const [code, meaning] of Object.entries(errorCodes)) {
    assert.match(explainExit("pairsplit", Number(code)), meaning.words);
    assert.is(classOfExit(Number(code)), meaning.class);
  }
});

test("classes that a person acts upon", () => {
  for (const [code, faultClass] of [
    [242, "peer-unreachable"], [250, "daemon-down"], [251, "daemon-down"], [255, "daemon-down"],
    [231, "daemon-down"], [221, "array-rejected"], [240, "array-rejected"], [237, "array-rejected"],
    [222, "wrong-state"], [223, "wrong-state"], [224, "wrong-state"], [225, "wrong-state"],
    [228, "wrong-state"], [235, "wrong-state"], [229, "mixed-group"], [236, "mixed-group"],
    [232, "timeout"], [233, "timeout"], [234, "wrong-state"], [227, "config"], [239, "config"],
    [246, "config"], [247, "config"], [253, "config"], [254, "config"], [131, "config"],
    [202, "auth"], [203, "auth"], [1, "array-rejected"], [130, "array-rejected"],
  ] as const) assert.is(classOfExit(code), faultClass, `code ${code}`);
}); // biome-ignore format: a table

test("codes below 128 belong to their command", () => {
  assert.is(explainExit("pairsplit", 0), "exit code 0");
  assert.match(explainExit("horctakeover", 1), "Swap-takeover");
  assert.match(explainExit("horctakeover", 5), "SVOL-SSUS-takeover");
  assert.match(explainExit("pairevtwait", 4), "PSUS");
  assert.is(explainExit("pairsplit", 5), "exit code 5");
});

test.run();
