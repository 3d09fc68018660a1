/** Long work of the main thread, which others' requests interrupt. */
import { setImmediate } from "node:timers/promises";

/** Of a grant's 5 ms it is the most that may be lost by it. */
const stepMs = 2;

/** Runs it to its end; after some milliseconds of steps whatever else waits comes first. */
export async function inSteps<T>(steps: Generator<void, T>): Promise<T> {
  for (let begun = performance.now(); ;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - begun < stepMs) continue;
    await setImmediate();
    begun = performance.now();
  }
}
