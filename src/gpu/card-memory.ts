/**
 * Memory of cards that no living process has. What is used, less what the listed processes have of it, stands at a baseline while
 * nobody of ours is there: the driver's own share, a desktop's. What a worker leaves above it is not free for the next one yet (L22).
 */
import type { DeviceFacts } from "../contract/agent.ts";
import type { CardProcess } from "./card-processes.ts";

/** MiB in use, by uuid; of instances (MIG) nobody says. */
export type UsedMemory = ReadonlyMap<string, number>;

/** What a driver's own share may grow by meanwhile, and a desktop's: too little for the next call to miss it. */
const toleranceMiB = 256;
const toleranceShare = 0.05;

export class CardMemory {
  readonly #tolerance: ReadonlyMap<string, number>;
  readonly #baseline = new Map<string, number>();
  /** What nobody had of each card at the last look, where none of ours was there. */
  readonly #quiet = new Map<string, number>();
  readonly #held = new Map<string, string>();
  /** The processes of the last look, by card. */
  readonly #pids = new Map<string, string>();

  constructor(devices: readonly DeviceFacts[]) {
    this.#tolerance = new Map(
      devices.map(({ uuid, memoryMiB = 0 }) => [uuid, Math.max(toleranceMiB, memoryMiB * toleranceShare)]),
    );
  }

  /** Whether it can be told of a card that its memory is back: it is known what that means, and not known to fail. */
  isWaitedFor(uuid: string): boolean {
    return this.#baseline.has(uuid) && !this.#held.has(uuid);
  }

  /** Cards whose memory did not come back, each with a sentence. */
  get held(): ReadonlyMap<string, string> {
    return this.#held;
  }

  /** How much of a card's memory no process has beyond its baseline; null where that cannot be read. Without a list: at most. */
  excess(uuid: string, used: UsedMemory, processes: readonly CardProcess[] = []): number | null {
    const [base, owned] = [this.#baseline.get(uuid), unowned(uuid, used, processes)];
    if (base === undefined || owned === null) return null;
    return Math.max(0, owned - base - (this.#tolerance.get(uuid) ?? 0));
  }

  /** Its memory did not come back. */
  hold(uuid: string, used: UsedMemory, processes: readonly CardProcess[], afterMs: number): void {
    const [before, now] = [this.#baseline.get(uuid), unowned(uuid, used, processes)];
    const says = `${afterMs / 1_000} s after a worker had ended no process has ${now} MiB of the card's memory, and it was ${before} MiB before`;
    this.#held.set(uuid, says);
  }

  /** An operator has seen to the cards: what nobody has from now on is their baseline. */
  forget(): void {
    this.#held.clear();
    this.#baseline.clear();
    this.#quiet.clear();
    this.#pids.clear();
  }

  /** A process of ours was there since the last look. */
  disturbed(uuid: string): void {
    this.#quiet.delete(uuid);
  }

  /**
   * After a look. The baseline is what nobody has while none of ours is there. It follows what comes between two such looks, since that
   * is not ours, and what goes; what is there more than before after one of ours was, is left of it. The figures are older than the
   * list: where that has other processes than the last one, it may name what they lack, so less is not believed then.
   */
  learn(used: UsedMemory, processes: readonly CardProcess[], isOurs: (pid: number) => boolean): void {
    for (const uuid of used.keys()) {
      const [base, owned] = [this.#baseline.get(uuid), unowned(uuid, used, processes)];
      const isSame = this.#hasSame(uuid, processes);
      if (owned === null) continue;
      if (this.excess(uuid, used, processes) === 0) this.#held.delete(uuid);
      if (processes.some(({ pid, cards }) => cards.includes(uuid) && isOurs(pid))) {
        this.#quiet.delete(uuid);
        continue;
      }
      const came = Math.max(0, owned - (this.#quiet.get(uuid) ?? owned));
      this.#baseline.set(
        uuid,
        base === undefined ? owned : Math.min(base + came, isSame ? owned : Math.max(base, owned)),
      );
      this.#quiet.set(uuid, owned);
    }
  }

  /** Whether a card's processes are those of the last look. */
  #hasSame(uuid: string, processes: readonly CardProcess[]): boolean {
    const pids = processes.flatMap(({ pid, cards }) => (cards.includes(uuid) ? pid : []));
    const [before, now] = [this.#pids.get(uuid), pids.toSorted((a, b) => a - b).join(" ")];
    this.#pids.set(uuid, now);
    return before === undefined || before === now;
  }
}

/** Null where the driver does not say how much one of them has. */
function unowned(uuid: string, used: UsedMemory, processes: readonly CardProcess[]): number | null {
  let left = used.get(uuid);
  for (const { cards, memoryMiB } of processes) {
    if (left === undefined || !cards.includes(uuid)) continue;
    if (memoryMiB === null) return null;
    left -= memoryMiB;
  }
  return left ?? null;
}
