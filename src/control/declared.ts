/** What functions declared when they were called last: so a call is priced before it is made. Known since the start, of as many as the ledger knows. */
import { functionOf } from "../core/history.ts";
import type { CallTerms } from "../core/model.ts";
import { functionsMax } from "../core/policy.ts";
import type { LedgerRecord } from "../core/record.ts";

export type Declared = Pick<CallTerms, "declaredMs" | "size">;

export class DeclaredFunctions {
  readonly #last = new Map<string, Declared>();

  onRecord({ events }: LedgerRecord): void {
    for (const event of events) {
      if (!("terms" in event) || !("call" in event.terms) || event.terms.endpoint === null) continue;
      const { declaredMs, size } = event.terms;
      const name = functionOf(event.terms);
      this.#last.delete(name);
      this.#last.set(name, { declaredMs, size });
      const [oldest] = this.#last.size > functionsMax ? this.#last.keys() : [];
      if (oldest !== undefined) this.#last.delete(oldest);
    }
  }

  of(space: string, endpoint: string): Declared | undefined {
    return this.#last.get(`${space} ${endpoint}`);
  }

  /** All of a Space, that which was called last first. */
  ofSpace(space: string): readonly (Declared & { readonly endpoint: string })[] {
    const prefix = `${space} `;
    return [...this.#last]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, declared]) => ({ endpoint: name.slice(prefix.length), ...declared }))
      .toReversed();
  }
}
