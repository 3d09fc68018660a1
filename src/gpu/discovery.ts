/** Which cards a node has: asked of `nvidia-smi`, or simulated where that is asked for by name. */
import type { DeviceFacts } from "../contract/agent.ts";
import { askCards, busOf, listCards } from "./nvidia-smi.ts";

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

/** Drivers of 470 and before do not know `compute_cap`; cards without such memory or such instances say `[N/A]`. */
const fields = {
  needed: ["index", "uuid", "pci.bus_id", "driver_version", "memory.total", "name"],
  optional: ["compute_cap", "ecc.mode.current", "mig.mode.current"],
} as const;
/** Instances of card 0 have the indexes 100, 101, …, those of card 1 200, 201, …: no machine has a hundred cards. */
const instanceIndexes = 100;

/** The machine's real cards, each cut into so many slots; an instance of a divided card is one. None where there is no `nvidia-smi`, or it fails. */
export async function discover(command: string, slotsOfCard = 1): Promise<Discovered> {
  const answer = await askCards(command, fields).answer;
  const none = { devices: [], buses: {} };
  if (!answer.ok) return { ...none, absent: answer.absent, says: answer.says };
  try {
    const cards = parseCards(answer.lines, { asked: answer.asked, slotsOfCard });
    const divided = cards.divided.length === 0 ? [] : await instancesOf(command, cards.divided);
    const devices = [...cards.devices, ...divided];
    const buses = {
      ...cards.buses,
      ...Object.fromEntries(divided.map((one) => [one.uuid, cards.buses[one.instanceOf ?? ""]])),
    };
    const count = devices.length;
    const empty = cards.divided.filter(({ uuid }) => !divided.some(({ instanceOf }) => instanceOf === uuid));
    const without = empty.map(({ index }) => `; card ${index} is in MIG mode and has no instance, so it is not used`);
    return {
      devices,
      buses,
      absent: false,
      says: `${command} shows ${count} card${count === 1 ? "" : "s"}${without.join("")}`,
    };
  } catch (error) {
    return { ...none, absent: false, says: `${command}: ${(error as Error).message}` };
  }
}

/**
 * Lines of `index, uuid, bus, driver, memory, name` and after them what else was asked for. `divided`: cards in MIG mode, which
 * nobody can use but by their instances. Throws `SyntaxError`.
 */
export function parseCards(
  lines: readonly string[],
  { asked, slotsOfCard }: { readonly asked: readonly string[]; readonly slotsOfCard: number },
): KnownCards & { readonly divided: readonly DeviceFacts[] } {
  const cards = lines.map((line) => parseCard(line, asked.slice(fields.needed.length), slotsOfCard));
  return {
    devices: cards.filter(({ mig }) => mig !== "Enabled").map(({ facts }) => facts),
    divided: cards.filter(({ mig }) => mig === "Enabled").map(({ facts }) => facts),
    buses: Object.fromEntries(cards.map(({ facts, bus }) => [facts.uuid, bus])),
  };
}

/** `  MIG 1g.10gb     Device  0: (UUID: MIG-…)` below `GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-…)`, as `nvidia-smi -L` lists them. */
export function parseInstances(lines: readonly string[], cards: readonly DeviceFacts[]): readonly DeviceFacts[] {
  let card: DeviceFacts | undefined;
  return lines.flatMap((line) => {
    const [, uuid] = /^GPU \d+: .*\(UUID: (GPU-[^)]+)\)/.exec(line) ?? [];
    if (uuid !== undefined) card = cards.find((one) => one.uuid === uuid);
    const [, profile = "", n, instance] = /^MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)]+)\)/.exec(line) ?? [];
    if (card === undefined || instance === undefined) return [];
    const { memoryMiB: _whole, ...rest } = card;
    const gigabytes = Number(/\.(\d+)gb/.exec(profile)?.[1]);
    return {
      ...rest,
      index: instanceIndexes * (card.index + 1) + Number(n),
      uuid: instance,
      name: `${card.name} MIG ${profile}`,
      slots: 1,
      instanceOf: card.uuid,
      ...(gigabytes > 0 ? { memoryMiB: gigabytes * 1_024 } : {}),
    };
  });
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

async function instancesOf(command: string, divided: readonly DeviceFacts[]): Promise<readonly DeviceFacts[]> {
  const answer = await listCards(command);
  if (!answer.ok) throw new Error(answer.says);
  return parseInstances(answer.lines, divided);
}

function parseCard(
  line: string,
  more: readonly string[],
  slots: number,
): { readonly facts: DeviceFacts; readonly bus: string | undefined; readonly mig: string | undefined } {
  const parts = line.split(",").map((part) => part.trim());
  // A model's name may have a comma in it.
  const told = more.length === 0 ? [] : parts.splice(-more.length);
  const [index, uuid, bus = "", driver = "", memory = "", ...name] = parts;
  if (!/^\d+$/.test(index ?? "") || !uuid?.startsWith("GPU-") || name.join("") === "")
    throw new SyntaxError(`not a card: ${line}`);
  const said = (field: (typeof fields.optional)[number]): string => told[more.indexOf(field)] ?? "";
  const memoryMiB = Number(/^(\d+) MiB$/.exec(memory)?.[1]);
  const ecc = said("ecc.mode.current");
  const facts: DeviceFacts = {
    index: Number(index),
    uuid,
    name: name.join(", "),
    slots,
    simulated: false,
    ...(/^\d+\.\d+$/.test(said("compute_cap")) ? { computeCapability: said("compute_cap") } : {}),
    ...(/^\d+\.[\d.]+$/.test(driver) ? { driver } : {}),
    ...(memoryMiB > 0 ? { memoryMiB } : {}),
    ...(ecc === "Enabled" || ecc === "Disabled" ? { ecc: ecc === "Enabled" } : {}),
  };
  return { facts, bus: busOf(bus), mig: said("mig.mode.current") };
}
