/**
 * Every exit code of every verb, once. Scripts depend on them: a code never changes its meaning.
 * Sources: sysexits.h (64-78), LSB init scripts (status), sanlock and booth habits (106-112),
 * timeout(1) (124).
 */
export const exitCodes = {
  ok: 0,
  /** status, LSB: dead with a pid file left behind. */
  statusDeadPidFile: 1,
  /** status, LSB: dead, but its lock is held. */
  statusDeadLock: 2,
  /** status, LSB: not running. */
  statusStopped: 3,
  /** status, LSB: cannot tell. */
  statusUnknown: 4,
  /** The command line is wrong. */
  usage: 64,
  /** The data is wrong: checksum, signature, version, foreign or unformatted volume. */
  dataError: 65,
  /** No such device, file or volume. */
  noInput: 66,
  /** A service that is needed does not answer: the agent does not run, a program is missing. */
  unavailable: 69,
  /** A fault of the program itself. */
  software: 70,
  /** The operating system refused something that it should not. */
  osError: 71,
  /** A file could not be created: full disk, read-only device. */
  cannotCreate: 73,
  /** A device answered with an I/O error. */
  ioError: 74,
  /** Not now; it may be tried again: gate closed, slot does not advance, another agent runs. */
  tryLater: 75,
  /** Not allowed: permission, or a volume that is not provably ours. */
  noPermission: 77,
  /** The configuration is wrong. */
  config: 78,
  /** takeover: no arbiter allows it. */
  noArbiter: 106,
  /** takeover: unsafe without --force. */
  unsafe: 107,
  /** takeover: begun, and what is true now cannot be told; run it again. */
  indeterminate: 112,
  /** Something did not answer within its deadline. */
  timeout: 124,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A refusal: one clear line that names the thing, the fault and the remedy, and its exit code. */
export type Refusal = { readonly code: ExitCode; readonly message: string };
