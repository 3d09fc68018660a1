/** Requests that are held while their Space wakes up. */
import type { SpaceRoute } from "../edge/ports.ts";

/** Requests that one Space holds; each is a connection of the edge's, and what comes of them meets the app at once. */
const heldMax = 500;
/** Of all Spaces together. Each has what its visitor sent meanwhile, which the edge does not read: some 100 KB at most in its buffers. */
const heldInAllMax = 2_000;

export class Wakes {
  readonly #held = new Map<string, Set<(route: SpaceRoute) => void>>();
  #heldInAll = 0;

  /** Resolves when {@link settle} says how it went, and never once `gone` is aborted; undefined where too many are held already. */
  hold(space: string, gone: AbortSignal | undefined): Promise<SpaceRoute> | undefined {
    const held = this.#held.get(space) ?? new Set();
    if (held.size >= heldMax || this.#heldInAll >= heldInAllMax) return undefined;
    this.#held.set(space, held);
    return new Promise((resolve) => {
      held.add(resolve);
      this.#heldInAll += 1;
      const leave = (): void => {
        if (held.delete(resolve)) this.#heldInAll -= 1;
      };
      gone?.addEventListener("abort", leave, { once: true });
    });
  }

  /** The Space answers, or will not. */
  settle(route: SpaceRoute): void {
    const held = this.#held.get(route.space);
    this.#held.delete(route.space);
    for (const resolve of held ?? []) {
      this.#heldInAll -= 1;
      resolve(route);
    }
    held?.clear();
  }
}
