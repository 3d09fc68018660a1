/** Assertions: a broken one is our bug. It ends the task and is never caught to steer the program. */

/** Thrown by {@link assert}; nothing catches it for control flow. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/**
 * Throws when `condition` does not hold; `says` is the rule in words, with its number where it has one, and `of` what broke it: told
 * apart, so that a rule that holds builds no text.
 */
export function assert(condition: unknown, says: string, of?: string | number): asserts condition {
  if (!condition) throw new AssertionFailure(of === undefined ? says : `${says}: ${of}`);
}

/** Marks a place that the types rule out; compiles only when every case above is handled. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
