/**
 * Assertions that stay on in production: an impossible state must stop the program, not steer it.
 * Expected failures (bad input, a device that fails) are values, never assertions.
 */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}

/** For the default of an exhaustive switch: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unreachable value ${JSON.stringify(value)}`);
}
