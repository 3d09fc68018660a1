/** Which of a node's leases passes its deadline first. Derived from its calls; a change costs O(log n). */
import { Heap } from "./heap.ts";
import type { AttachedCall, CallId, GrantedCall } from "./model.ts";

export class Leases {
  readonly #attaching = new Heap<GrantedCall>((a, b) => a.attachBy < b.attachBy);
  readonly #running = new Heap<AttachedCall>((a, b) => endOf(a) < endOf(b));
  /** How to take each out. */
  readonly #removals = new Map<CallId, () => void>();

  /** The call whose time to attach is over first. */
  get nextToAttach(): GrantedCall | undefined {
    return this.#attaching.first;
  }

  /** The attached call whose lease ends first. */
  get nextToEnd(): AttachedCall | undefined {
    return this.#running.first;
  }

  /** Takes in a call that was granted, or one that has attached. */
  put(call: GrantedCall | AttachedCall): void {
    this.remove(call.terms.call);
    if (call.stage === "granted") {
      const held = this.#attaching.add(call);
      this.#removals.set(call.terms.call, () => this.#attaching.remove(held));
    } else {
      const held = this.#running.add(call);
      this.#removals.set(call.terms.call, () => this.#running.remove(held));
    }
  }

  remove(call: CallId): void {
    this.#removals.get(call)?.();
    this.#removals.delete(call);
  }
}

function endOf({ attachedAt, leaseMs }: AttachedCall): number {
  return attachedAt + leaseMs;
}
