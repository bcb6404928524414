/**
 * What the exit codes of CCI's commands are documented to mean, in words and fault classes.
 *
 * They explain; they never decide: `horctakeover` exits 225 although the S-VOL was taken over, and
 * `pairvolchk` calls a volume that was taken over suspended. What became of a pair is looked up.
 */
import type { FaultClass } from "../provider.ts";

export type ExitMeaning = {
  readonly name: string;
  readonly class: FaultClass;
  readonly words: string;
};

/** 128 and above: abnormal ends, the same for every command. Several names may share a code. */
export const errorCodes: Readonly<Record<number, ExitMeaning>> = {
  131: { name: "EW_*", class: "config", words: "the command line is not accepted" },
  199: { name: "EX_CTXCHK", class: "auth", words: "the resource is locked or changed meanwhile" },
  200: { name: "EX_EACCES", class: "auth", words: "the log folder cannot be accessed" },
  202: { name: "EX_ENAUTH", class: "auth", words: "not logged in to the array, or not allowed" },
  203: { name: "EX_EPPERM", class: "auth", words: "the array does not permit this operation" },
  204: { name: "EX_ENQCLP", class: "config", words: "the volumes' cache partitions do not match" },
  205: { name: "EX_ENOOBJ", class: "config", words: "the array does not know the object" },
  206: { name: "EX_ENOPOL", class: "config", words: "there is no such pool" },
  207: { name: "EX_ESPERM", class: "auth", words: "the S-VOL is protected" },
  208: { name: "EX_EPRORT", class: "auth", words: "the volume is in retention" },
  209: { name: "EX_ESVOLD", class: "auth", words: "the volume may not become an S-VOL" },
  210: { name: "EX_ENOSUP", class: "unsupported", words: "this array has no such function" },
  211: { name: "EX_ERPERM", class: "auth", words: "the volume is reserved" },
  212: { name: "EX_ENQSIZ", class: "config", words: "the volumes differ in size" },
  213: { name: "EX_ENPERM", class: "auth", words: "no permission for this volume or device group" },
  214: { name: "EX_ENQCTG", class: "config", words: "the consistency groups do not match" },
  215: { name: "EX_ENXCTG", class: "array-rejected", words: "no consistency group is free" },
  216: { name: "EX_EXTCTG", class: "array-rejected", words: "too many consistency groups" },
  217: { name: "EX_ENOCTG", class: "config", words: "not enough consistency groups" },
  218: { name: "EX_ENQSER", class: "config", words: "the array serials do not match" },
  219: { name: "EX_ENOUNT", class: "config", words: "no array has this unit number" },
  220: { name: "EX_INVMUN", class: "config", words: "the mirror unit does not fit" },
  221: { name: "EX_CMDRJE", class: "array-rejected", words: "the array rejected the command" },
  222: { name: "EX_INVVOL", class: "wrong-state", words: "not in this state of the volume" },
  223: { name: "EX_VOLCRE", class: "wrong-state", words: "both volumes are simplex" },
  224: { name: "EX_VOLCUE", class: "wrong-state", words: "the volumes are in no usable state" },
  225: { name: "EX_VOLCUR", class: "wrong-state", words: "the S-VOL may not be current" },
  226: { name: "EX_INVRCD", class: "unparseable", words: "wrong return code of an inner command" },
  227: { name: "EX_ENLDEV", class: "config", words: "there is no such LDEV" },
  228: { name: "EX_INVSTP", class: "wrong-state", words: "not in this pair status" },
  229: { name: "EX_INCSTG", class: "mixed-group", words: "the group's volumes differ in status" },
  230: { name: "EX_UNWCMD", class: "config", words: "the command is not known" },
  231: { name: "EX_ESTMON", class: "daemon-down", words: "HORCM's monitoring has stopped" },
  232: { name: "EX_EWSLTO", class: "timeout", words: "no remote answer while waiting" },
  233: { name: "EX_EWSTOT", class: "timeout", words: "the wait timed out" },
  234: { name: "EX_EWSUSE", class: "wrong-state", words: "the pair was suspended while waiting" },
  235: { name: "EX_EVOLCE", class: "wrong-state", words: "the two volumes do not make a pair" },
  236: { name: "EX_ENQVOL", class: "mixed-group", words: "the group's volumes are not alike" },
  237: { name: "EX_CMDIOE", class: "array-rejected", words: "the command device failed" },
  238: { name: "EX_UNWCOD", class: "unparseable", words: "an unknown function code" },
  239: { name: "EX_ENOGRP", class: "config", words: "horcm.conf has no such group" },
  240: { name: "EX_INVCMD", class: "array-rejected", words: "the array knows no such command" },
  241: { name: "EX_INVMOD", class: "array-rejected", words: "not in this mode of the array" },
  242: { name: "EX_ENORMT", class: "peer-unreachable", words: "no remote HORCM answers" },
  243: { name: "EX_ENAMLG", class: "config", words: "a name is too long" },
  244: { name: "EX_ERANGE", class: "config", words: "a number is out of range" },
  245: { name: "EX_ENOMEM", class: "daemon-down", words: "out of memory" },
  246: { name: "EX_ENODEV", class: "config", words: "the group has no such device" },
  247: { name: "EX_ENOENT", class: "config", words: "no such device or file" },
  248: { name: "EX_OPTINV", class: "config", words: "the array gives a wrong option" },
  249: { name: "EX_INVNAM", class: "config", words: "a name is not valid" },
  250: { name: "EX_ATTDBG", class: "daemon-down", words: "HORCM cannot be attached for its log" },
  251: { name: "EX_ATTHOR", class: "daemon-down", words: "no HORCM instance runs" },
  252: { name: "EX_UNWOPT", class: "config", words: "an option is not known" },
  253: { name: "EX_INVARG", class: "config", words: "an argument is not valid" },
  254: { name: "EX_REQARG", class: "config", words: "an argument is missing" },
  255: { name: "EX_COMERR", class: "daemon-down", words: "HORCM does not answer" },
};

/** Below 128: what a command says of its success, for people. */
const takeoverWords: Readonly<Record<number, string>> = {
  0: "nothing to do (Nop-takeover)",
  1: "Swap-takeover",
  2: "SVOL-takeover",
  3: "PVOL-SMPL-takeover",
  4: "PVOL-PSUE-takeover",
  5: "SVOL-SSUS-takeover",
};
const waitWords: Readonly<Record<number, string>> = {
  0: "reached",
  1: "SMPL",
  2: "COPY",
  3: "PAIR",
  4: "PSUS",
  5: "PSUE",
};

/** "exit code 225, EX_VOLCUR: the S-VOL may not be current". */
export function explainExit(program: string, code: number): string {
  const error = errorCodes[code];
  if (error) return `exit code ${code}, ${error.name}: ${error.words}`;
  const words =
    program === "horctakeover"
      ? takeoverWords[code]
      : program === "pairevtwait"
        ? waitWords[code]
        : undefined;
  return words === undefined ? `exit code ${code}` : `exit code ${code}, ${words}`;
}

/** A code that is not documented says no more than that the array's side failed. */
export const classOfExit = (code: number): FaultClass =>
  errorCodes[code]?.class ?? "array-rejected";
