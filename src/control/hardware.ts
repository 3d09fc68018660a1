/** What a Space can run on here: this machine's processor, and with cards in the pool, GPUs by the call. In the Hub's form. */
import type { HardwareView } from "../contract/api.ts";

/** What the machine and its pool have. */
export interface HardwareFacts {
  readonly cores: number;
  /** Of one replica. */
  readonly memoryBytes: number;
  /** The pool's cards; empty where it has none. */
  readonly cards: readonly { readonly name: string; readonly memoryMiB?: number }[];
}

/** The Hub's clients know this name; it stands for whatever cards the pool has. */
const zeroName = "zero-a10g";
/** The processor alone. */
export const plainName = "cpu-basic";

export class Hardware {
  readonly #facts: () => HardwareFacts;

  constructor(facts: () => HardwareFacts) {
    this.#facts = facts;
  }

  get list(): readonly HardwareView[] {
    const { cores, memoryBytes, cards } = this.#facts();
    const cpu = `${cores} vCPU`;
    const ram = `${Math.round(memoryBytes / 2 ** 30)} GB`;
    const free = { cpu, ram, unitCostMicroUSD: 0, unitCostUSD: 0, unitLabel: "minute" };
    const plain = { name: plainName, prettyName: "CPU basic", accelerator: null, ...free };
    const card = cards[0];
    if (!card) return [plain];
    const vram = card.memoryMiB === undefined ? "unknown" : `${Math.round(card.memoryMiB / 1024)} GB`;
    const accelerator = {
      type: "gpu",
      model: card.name,
      quantity: String(cards.length),
      vram,
      manufacturer: "",
    } as const;
    return [
      plain,
      {
        name: zeroName,
        prettyName: `GPUs by the call: pool main, ${cards.length} × ${card.name}`,
        accelerator,
        ...free,
      },
    ];
  }

  /** What a Space whose setting is this has: where it says nothing, all that the platform has. */
  of(setting: string): string {
    return setting === "" ? (this.list.at(-1)?.name ?? plainName) : setting;
  }

  /** The name as a setting may have it; says which there are where it is none of them. */
  named(name: string): { readonly ok: true; readonly name: string } | { readonly ok: false; readonly says: string } {
    const names = this.list.map((one) => one.name);
    if (name === "" || names.includes(name)) return { ok: true, name };
    return { ok: false, says: `This platform has no hardware "${name}"; it has ${names.join(" and ")}.` };
  }
}
