/**
 * What addresses and Spaces use at the other workers of an edge. Each worker counts what it carries, and a limit is for all of them: so
 * each tells the others of those that use much of one, and counts what they told beside its own.
 */
export interface SharedUse {
  readonly of: "address" | "space";
  readonly key: string;
  /** Now. */
  readonly connections: number;
  readonly requests: number;
  /** Requests since it was told last. */
  readonly taken: number;
  /** What its rate is. */
  readonly perSecond: number;
}

/** What is open of one. */
export type Open = Pick<SharedUse, "connections" | "requests">;

const nothing: Open = { connections: 0, requests: 0 };
/** Of one worker: who uses a sixteenth of a limit, of which a worker has not so many. */
const keptMax = 10_000;

export class UsedElsewhere {
  readonly #workers = new Map<string, Map<string, Open>>();

  learn(worker: string, uses: readonly SharedUse[]): void {
    const known = this.#workers.get(worker) ?? new Map<string, Open>();
    this.#workers.set(worker, known);
    for (const { of, key, connections, requests } of uses) {
      const name = nameOf(of, key);
      if (connections === 0 && requests === 0) known.delete(name);
      else if (known.has(name) || known.size < keptMax) known.set(name, { connections, requests });
    }
  }

  /** What it had open is closed. */
  forget(worker: string): void {
    this.#workers.delete(worker);
  }

  open(of: SharedUse["of"], key: string): Open {
    if (this.#workers.size === 0) return nothing;
    const name = nameOf(of, key);
    let [connections, requests] = [0, 0];
    for (const known of this.#workers.values()) {
      const open = known.get(name) ?? nothing;
      connections += open.connections;
      requests += open.requests;
    }
    return { connections, requests };
  }
}

function nameOf(of: SharedUse["of"], key: string): string {
  return `${of} ${key}`;
}
