/** Waits for what another process or socket brings about: polls a condition with a bound. */

/** Resolves with the first truthy value of `probe`; throws with `what` after `withinMs`, which only a failure reaches. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | null,
  withinMs = 180_000,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const value = probe();
    if (value !== undefined && value !== false && value !== null) return value;
    if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
