/** Which of a node's leases passes its deadline first. Derived from its calls; a change costs O(log n). */
import { Heap } from "./heap.ts";
import type { Held } from "./heap.ts";
import type { AttachedCall, CallId, GrantedCall } from "./model.ts";

export class Leases {
  readonly #attaching = new Heap<GrantedCall>((a, b) => a.attachBy < b.attachBy);
  readonly #running = new Heap<AttachedCall>((a, b) => endOf(a) < endOf(b));
  /** Where each stands. */
  readonly #held = new Map<CallId, Held<GrantedCall> | Held<AttachedCall>>();

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
    this.#takeOut(this.#held.get(call.terms.call));
    this.#held.set(call.terms.call, call.stage === "granted" ? this.#attaching.add(call) : this.#running.add(call));
  }

  remove(call: CallId): void {
    this.#takeOut(this.#held.get(call));
    this.#held.delete(call);
  }

  #takeOut(held: Held<GrantedCall> | Held<AttachedCall> | undefined): void {
    if (held === undefined) return;
    if (held.value.stage === "granted") this.#attaching.remove(held as Held<GrantedCall>);
    else this.#running.remove(held as Held<AttachedCall>);
  }
}

function endOf({ attachedAt, leaseMs }: AttachedCall): number {
  return attachedAt + leaseMs;
}
