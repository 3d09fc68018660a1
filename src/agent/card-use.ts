/**
 * Who uses the node's cards: the processes of our replicas, which their shims hear of and judge, and strangers, which are named and
 * left alone.
 */
import type { CardStranger, CardUse } from "../contract/agent.ts";
import type { OnCard } from "../contract/shim.ts";
import type { Launcher, SeenProcesses } from "./ports.ts";

/** A replica whose shim hears what is found. */
export interface Watched {
  readonly replica: string;
  readonly folder: string;
  tell(processes: readonly OnCard[]): void;
}

/** A node's own programs are few; beyond these nobody needs their names. */
const strangersMax = 32;

export class CardUsers {
  readonly #launcher: Pick<Launcher, "ownersOf">;
  readonly #living: () => readonly Watched[];
  /** Replicas that the last look found something of. */
  #told: ReadonlySet<string> = new Set();

  constructor(launcher: Pick<Launcher, "ownersOf">, living: () => readonly Watched[]) {
    this.#launcher = launcher;
    this.#living = living;
  }

  /** Tells each replica's shim what of it was found, and says who else is there. */
  after({ processes, unseen }: SeenProcesses): { readonly use: CardUse; readonly ours: ReadonlySet<number> } {
    if (processes === null) return { use: { strangers: [], unseen }, ours: new Set() };
    const living = this.#living();
    const owners = this.#launcher.ownersOf(
      living.map(({ folder }) => folder),
      processes.map(({ pid }) => pid),
    );
    const found = new Map<string, OnCard[]>(living.map(({ folder }) => [folder, []]));
    const strangers: CardStranger[] = [];
    for (const one of processes) {
      const owner = owners.get(one.pid);
      if (owner === undefined) strangers.push(one);
      else found.get(owner.folder)?.push({ pid: one.pid, start: owner.start, cards: one.cards });
    }
    const before = this.#told;
    this.#told = new Set(living.filter(({ folder }) => found.get(folder)?.length).map(({ replica }) => replica));
    for (const { replica, folder, tell } of living)
      if (this.#told.has(replica) || before.has(replica)) tell(found.get(folder) ?? []);
    return { use: { strangers: strangers.slice(0, strangersMax), unseen }, ours: new Set(owners.keys()) };
  }
}
