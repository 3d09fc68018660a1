/**
 * The highest fence seen for each slot of this node.
 *
 *   L19. The agent refuses any operation with a fence below the highest it has seen, also after its restart.
 *
 * Each raise is a line in `fences.jsonl`, in the kernel before the operation goes on. It is not synced: what outlives the agent
 * but not the machine would guard replicas that do not outlive the machine either.
 */
import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

interface SlotFence {
  readonly slot: string;
  readonly fence: number;
}

/** Calls whose slots are remembered for their withdrawal: many times what one node's slots hold at once. */
const callsMax = 1_000;
/** Lines after which the file is written anew with one for each slot. */
const linesMax = 20_000;

/** Where the lines outlive the agent. */
export interface FenceLines {
  /** What an earlier agent left; of a torn last line a part. */
  read(): readonly string[];
  append(line: string): void;
  /** One line in place of all: on disk before it gets their name. */
  replace(line: string): void;
  close(): void;
}

export class Fences {
  readonly #kept: FenceLines;
  readonly #highest = new Map<string, number>();
  readonly #slotsOf = new Map<string, readonly string[]>();
  #lines = 1;
  #grants = 0;

  /** Reads what an earlier agent left. A torn last line is a raise whose operation never went on. */
  constructor(kept: FenceLines) {
    this.#kept = kept;
    for (const line of kept.read()) this.#load(line);
    this.#rewrite();
  }

  /** Grants of the channel taken so far, by their highest number. */
  get tookGrants(): number {
    return this.#grants;
  }

  /** The slot's highest fence; 0 before any. */
  highest(slot: string): number {
    return this.#highest.get(slot) ?? 0;
  }

  /** True where none of the slots has seen a higher fence (L19); then it is kept. The same fence again is a harmless repeat. */
  admit(slots: readonly string[], fence: number, grantNumber?: number): boolean {
    if (slots.some((slot) => fence < this.highest(slot))) return false;
    const raised = slots.filter((slot) => fence > this.highest(slot));
    const counted = grantNumber !== undefined && grantNumber > this.#grants;
    if (raised.length === 0 && !counted) return true;
    this.#grants = Math.max(this.#grants, grantNumber ?? 0);
    for (const slot of raised) this.#highest.set(slot, fence);
    this.#write(raised.map((slot) => ({ slot, fence })));
    return true;
  }

  /** Takes a grant: as `admit`, and its call's slots are remembered. */
  admitGrant(grant: {
    readonly call: string;
    readonly slots: readonly string[];
    readonly fence: number;
    readonly number: number;
  }): boolean {
    if (!this.admit(grant.slots, grant.fence, grant.number)) return false;
    this.#slotsOf.delete(grant.call);
    this.#slotsOf.set(grant.call, grant.slots);
    const oldest = this.#slotsOf.keys().next().value;
    if (this.#slotsOf.size > callsMax && oldest !== undefined) this.#slotsOf.delete(oldest);
    return true;
  }

  /** Whether a withdrawal, which names no slot, is of the newest lease of its call's slots. A call of an earlier agent is left to its shim. */
  admitWithdrawal(call: string, fence: number): boolean {
    return (this.#slotsOf.get(call) ?? []).every((slot) => fence >= this.highest(slot));
  }

  close(): void {
    this.#kept.close();
  }

  #load(line: string): void {
    const value = parse(line);
    if (!value) return;
    this.#grants = Math.max(this.#grants, value.grants);
    for (const { slot, fence } of value.slots) this.#highest.set(slot, Math.max(fence, this.highest(slot)));
  }

  #write(slots: readonly SlotFence[]): void {
    this.#kept.append(JSON.stringify({ grants: this.#grants, slots }));
    this.#lines += 1;
    if (this.#lines >= linesMax) this.#rewrite();
  }

  #rewrite(): void {
    const slots = [...this.#highest].map(([slot, fence]) => ({ slot, fence }));
    this.#kept.replace(JSON.stringify({ grants: this.#grants, slots }));
    this.#lines = 1;
  }
}

/** The lines in `fences.jsonl` of the agent's folder. */
export class FenceFile implements FenceLines {
  readonly #path: string;
  #file = -1;

  constructor(folder: string) {
    this.#path = join(folder, "fences.jsonl");
  }

  read(): readonly string[] {
    return readLines(this.#path);
  }

  append(line: string): void {
    writeSync(this.#file, `${line}\n`);
  }

  replace(line: string): void {
    this.close();
    writeFileSync(`${this.#path}.new`, `${line}\n`, { mode: 0o600, flush: true });
    renameSync(`${this.#path}.new`, this.#path);
    this.#file = openSync(this.#path, "a", 0o600);
  }

  close(): void {
    if (this.#file !== -1) closeSync(this.#file);
    this.#file = -1;
  }
}

function parse(line: string): { readonly grants: number; readonly slots: readonly SlotFence[] } | undefined {
  try {
    return JSON.parse(line) as { grants: number; slots: SlotFence[] };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
