/** Which cards a node has: asked of `nvidia-smi`, or simulated where that is asked for by name. */
import type { DeviceFacts } from "../contract/agent.ts";
import { askCards, busOf } from "./nvidia-smi.ts";

export const simulatedMax = { cards: 64, slots: 16 } as const;

export interface KnownCards {
  readonly devices: readonly DeviceFacts[];
  /** Where on its bus each card is, by uuid: messages about a card that is lost name it so. */
  readonly buses: Readonly<Record<string, string | undefined>>;
}

/** `absent`: there is no such program, so there are no cards; else it was asked, and `says` tells with what success. */
export interface Discovered extends KnownCards {
  readonly absent: boolean;
  readonly says: string;
}

/** Drivers of 470 and before do not know `compute_cap`. */
const fields = {
  needed: ["index", "uuid", "pci.bus_id", "driver_version", "memory.total", "name"],
  optional: ["compute_cap"],
};

/** The machine's real cards, each cut into so many slots; none where there is no `nvidia-smi`, or it fails. */
export async function discover(command: string, slotsOfCard = 1): Promise<Discovered> {
  const answer = await askCards(command, fields).answer;
  const none = { devices: [], buses: {} };
  if (!answer.ok) return { ...none, absent: answer.absent, says: answer.says };
  try {
    const cards = parseCards(answer.lines, answer.asked.includes("compute_cap"), slotsOfCard);
    const count = cards.devices.length;
    return { ...cards, absent: false, says: `${command} shows ${count} card${count === 1 ? "" : "s"}` };
  } catch (error) {
    return { ...none, absent: false, says: `${command}: ${(error as Error).message}` };
  }
}

/** Lines of `index, uuid, bus, driver, memory, name`, and the compute capability last where it was asked for. Throws `SyntaxError`. */
export function parseCards(lines: readonly string[], withCapability: boolean, slotsOfCard: number): KnownCards {
  const cards = lines.map((line) => {
    const [index, uuid, bus = "", driver = "", memory = "", ...rest] = line.split(",").map((part) => part.trim());
    const capability = withCapability ? (rest.pop() ?? "") : "";
    const name = rest.join(", ");
    if (!/^\d+$/.test(index ?? "") || !uuid?.startsWith("GPU-") || name === "")
      throw new SyntaxError(`not a card: ${line}`);
    const memoryMiB = Number(/^(\d+) MiB$/.exec(memory)?.[1]);
    const facts: DeviceFacts = {
      index: Number(index),
      uuid,
      name,
      slots: slotsOfCard,
      simulated: false,
      ...(/^\d+\.\d+$/.test(capability) ? { computeCapability: capability } : {}),
      ...(/^\d+\.[\d.]+$/.test(driver) ? { driver } : {}),
      ...(memoryMiB > 0 ? { memoryMiB } : {}),
    };
    return { facts, bus: busOf(bus) };
  });
  return {
    devices: cards.map(({ facts }) => facts),
    buses: Object.fromEntries(cards.map(({ facts, bus }) => [facts.uuid, bus])),
  };
}

/** `"2x2"`: two cards of two slots each, that do not exist and say so. Undefined where `text` is not of that form or too large. */
export function parseSimulated(text: string): readonly DeviceFacts[] | undefined {
  const match = /^(\d{1,3})x(\d{1,3})$/.exec(text);
  const [cards, slots] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || cards < 1 || slots < 1 || cards > simulatedMax.cards || slots > simulatedMax.slots) return undefined;
  return Array.from({ length: cards }, (_, index) => ({
    index,
    uuid: `GPU-sim-${String(index).padStart(4, "0")}`,
    name: "simulated GPU",
    slots,
    simulated: true,
  }));
}
