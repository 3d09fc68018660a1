/**
 * Looks at a node's cards again and again, and says what is wrong with them whenever that changes. A card's own fault is
 * `gpu/device-fault`; where nobody answers for any of them it is `runtime/nvml-lost`.
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { CardTrouble, DeviceFacts } from "../contract/agent.ts";
import type { Code } from "../evidence/codes.ts";
import type { KnownCards } from "./discovery.ts";
import { CardMemory, type UsedMemory } from "./card-memory.ts";
import { seenIn, type SeenProcesses } from "./card-processes.ts";
import { Fresh } from "./fresh.ts";
import { askCards, askProcesses, busOf, memoryIn, type SmiAnswer } from "./nvidia-smi.ts";
import type { KernelLog } from "./xid.ts";

/** By uuid; `*` for all cards. Empty: nothing is wrong. */
export type Trouble = Readonly<Record<string, CardTrouble>>;

export interface CardWatchOptions extends KnownCards {
  readonly command: string;
  readonly everyMs: number;
  readonly answerWithinMs?: number;
  /** Where Xid messages stand; null: nowhere that can be read. */
  readonly kernelLog: KernelLog | null;
  readonly now: () => number;
  /** Called after the first look, and whenever one finds something else than the last. */
  readonly onChange: (trouble: Trouble) => void;
  /** Called after each look at the cards' processes; says which of them are of our replicas. */
  readonly onProcesses: (seen: SeenProcesses) => ReadonlySet<number>;
}

/** Errors that the driver counts since it was loaded; cards without such memory say `[N/A]`. */
const memoryErrors = "ecc.errors.uncorrected.volatile.total";
/** What the driver says that the card needs: `None`, `Reset`, `Reboot`, `Drain and Reset`, …; of 565 and later. */
const recovery = "gpu_recovery_action";
/** `Yes` where rows of memory could not be replaced by spare ones any more. */
const remapFailure = "remapped_rows.failure";
/** Beside these, a value that cannot be read says why in its place. */
const fields = {
  needed: ["uuid", "memory.used", "temperature.gpu"],
  optional: [memoryErrors, recovery, remapFailure],
};
/** A card that told of a fault and looks well ever since is granted again after this, and before by an operator's word. */
const quietMs = 600_000;
/** A driver gives an ended process's memory back in well under a second, and tens of gigabytes in a few. */
const memoryWithinMs = 10_000;
const memoryEveryMs = 250;
const noList: SeenProcesses = { processes: null, unseen: "nvidia-smi does not answer" };
/** Not `None`, and not a word that says that it is not known. */
const needed = /^(?:Reset|Reboot|Drain)/;
const wrong = /\[(?:GPU is lost|GPU requires reset|Unknown Error)\]|\bERR!/;

export class CardWatch implements Disposable {
  readonly #options: CardWatchOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #looks = new Fresh(() => this.#once());
  readonly #lists = new Fresh(() => this.#list());
  /** The process of a look that was answered for, or given up, still lives: no other is started beside one that hangs. */
  #hangs = false;
  #listHangs = false;
  readonly #memory: CardMemory;
  /** What the last look and the last list found; nothing where they failed. */
  #used: UsedMemory = new Map();
  #listed: SeenProcesses = noList;
  #ours: ReadonlySet<number> = new Set();
  #seen: Trouble = {};
  #told: string | undefined;
  #stopped = false;
  /** By bus: the last fault that the kernel's log told of, and when the card last looked unwell since. */
  readonly #xids = new Map<string, { readonly says: string; since: number }>();

  constructor(options: CardWatchOptions) {
    this.#options = options;
    this.#memory = new CardMemory(options.devices);
    this.#timer = setInterval(() => void this.#round(), options.everyMs);
    void this.#round();
  }

  /** Looks once more; resolves when what is found was told, or when nothing can be found since an earlier look hangs. */
  look(): Promise<void> {
    return this.#looks.next();
  }

  /** Looks once more; a fault that is not seen any more is forgotten, since an operator has seen to it. */
  async check(): Promise<void> {
    if (this.#stopped) return;
    this.#hear();
    this.#xids.clear();
    this.#memory.forget();
    await this.#round();
  }

  /**
   * L22: workers on these cards are gone. Looks, and resolves when their memory is back where it was before them; where it does not come
   * back in time, when that was told as the card's trouble. What cannot be read is not waited for.
   */
  async returned(uuids: readonly string[]): Promise<void> {
    for (const since = this.#options.now(); ; await delay(memoryEveryMs, undefined, { ref: false })) {
      await this.look();
      for (const uuid of uuids) this.#memory.disturbed(uuid);
      const late = await this.#late(uuids.filter((uuid) => this.#memory.isWaitedFor(uuid)));
      if (late.length === 0 || this.#stopped) return;
      if (this.#options.now() - since < memoryWithinMs) continue;
      for (const uuid of late) this.#memory.hold(uuid, this.#used, this.#listed.processes ?? [], memoryWithinMs);
      return this.#tell();
    }
  }

  /** Those whose memory is not back. A process that comes between a list and a look is taken for what nobody has, and never the other way. */
  async #late(uuids: readonly string[]): Promise<readonly string[]> {
    const above = uuids.filter((uuid) => (this.#memory.excess(uuid, this.#used) ?? 0) > 0);
    if (above.length === 0) return above;
    await this.#lists.next();
    await this.look();
    const { processes } = this.#listed;
    return processes === null
      ? []
      : above.filter((uuid) => (this.#memory.excess(uuid, this.#used, processes) ?? 0) > 0);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#options.kernelLog?.[Symbol.dispose]();
    clearInterval(this.#timer);
  }

  async #round(): Promise<void> {
    await this.look();
    const used = this.#used;
    await this.#lists.next();
    if (this.#listed.processes !== null) this.#memory.learn(used, this.#listed.processes, (pid) => this.#ours.has(pid));
    this.#tell();
  }

  async #list(): Promise<void> {
    if (this.#listHangs) this.#listed = noList;
    if (this.#listHangs || this.#stopped) return;
    this.#listHangs = true;
    const { command, answerWithinMs, devices, onProcesses } = this.#options;
    const { answer, gone } = askProcesses(command, answerWithinMs);
    const ended = gone.then(() => (this.#listHangs = false));
    const seen = seenIn(await answer, devices);
    await Promise.race([ended, nextTurn()]);
    if (this.#stopped) return;
    this.#listed = seen;
    this.#ours = onProcesses(seen);
  }

  async #once(): Promise<void> {
    if (this.#hangs) this.#used = new Map();
    if (this.#hangs || this.#stopped) return;
    this.#hangs = true;
    const { command, answerWithinMs } = this.#options;
    const { answer, gone } = askCards(command, fields, answerWithinMs);
    const ended = gone.then(() => (this.#hangs = false));
    const said = await answer;
    if (this.#stopped) return;
    this.#seen = troubleIn(this.#options, said);
    this.#used = usedIn(said);
    this.#hear();
    // An answer comes with the end of its process, but for one that hangs.
    await Promise.race([ended, nextTurn()]);
    this.#tell();
  }

  #tell(): void {
    if (this.#stopped) return;
    const held = [...this.#memory.held].map(([uuid, says]) => [uuid, fault(says)] as const);
    const trouble = { ...Object.fromEntries(held), ...this.#withXids(this.#seen) };
    const told = JSON.stringify(trouble);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onChange(trouble);
  }

  #hear(): void {
    const since = this.#options.now();
    for (const { bus, says } of this.#options.kernelLog?.news() ?? []) this.#xids.set(bus, { says, since });
  }

  /** What the cards' state says comes first; a fault that was only told stands until the card was well for long enough. */
  #withXids(seen: Trouble): Trouble {
    const { devices, buses, now } = this.#options;
    const told: Record<string, CardTrouble> = {};
    for (const { uuid } of devices) {
      const xid = this.#xids.get(buses[uuid] ?? "");
      if (xid === undefined) continue;
      if (seen[uuid] ?? seen["*"]) xid.since = now();
      if (now() < xid.since + quietMs) told[uuid] = fault(xid.says);
    }
    for (const [bus, { since }] of this.#xids) if (now() >= since + quietMs) this.#xids.delete(bus);
    return { ...told, ...seen };
  }
}

/** What an answer says is wrong with the cards that are known. */
export function troubleIn({ devices, buses }: KnownCards, answer: SmiAnswer): Trouble {
  if (!answer.ok) return unanswered(devices, buses, answer.says);
  const lines = new Map(answer.lines.map((line) => [line.split(",", 1)[0], line]));
  return Object.fromEntries(
    devices.flatMap(({ uuid, instanceOf = uuid }) => {
      const says = cardSays(lines.get(instanceOf), answer.asked);
      return says === undefined ? [] : [[uuid, fault(says)]];
    }),
  );
}

function usedIn(answer: SmiAnswer): UsedMemory {
  if (!answer.ok) return new Map();
  const at = [answer.asked.indexOf("uuid"), answer.asked.indexOf("memory.used")] as const;
  return new Map(
    answer.lines.flatMap((line) => {
      const parts = line.split(",").map((part) => part.trim());
      const used = memoryIn(parts[at[1]] ?? "");
      return used === undefined ? [] : [[parts[at[0]] ?? "", used] as const];
    }),
  );
}

/** One lost card makes the whole list fail, and is named by its bus. */
function unanswered(devices: readonly DeviceFacts[], buses: KnownCards["buses"], says: string): Trouble {
  const bus = /device handle for GPU/i.test(says) ? busOf(says) : undefined;
  const cards = bus === undefined ? [] : devices.filter(({ uuid }) => buses[uuid] === bus);
  if (cards.length > 0) return Object.fromEntries(cards.map(({ uuid }) => [uuid, fault(says)]));
  return { "*": { code: "runtime/nvml-lost" satisfies Code, says } };
}

function cardSays(line: string | undefined, asked: readonly string[]): string | undefined {
  if (line === undefined) return "the driver does not list the card any more";
  const said = wrong.exec(line)?.[0];
  if (said !== undefined) return `the driver says ${said} of the card`;
  const parts = line.split(",").map((part) => part.trim());
  const value = (field: string): string => parts[asked.indexOf(field)] ?? "";
  const errors = Number(value(memoryErrors));
  if (errors > 0) return `the card counts ${errors} uncorrected memory errors: it has to be reset`;
  if (value(remapFailure) === "Yes") return "rows of the card's memory could not be replaced: it has to be looked at";
  return needed.test(value(recovery)) ? `the driver says that the card needs: ${value(recovery)}` : undefined;
}

function fault(says: string): CardTrouble {
  return { code: "gpu/device-fault" satisfies Code, says };
}
