/** Which cards a node has: asked of `nvidia-smi`, or simulated where that is asked for by name. */
import { execFile } from "node:child_process";
import type { DeviceFacts } from "../contract/agent.ts";

/** `nvidia-smi` takes seconds when the driver has to wake its cards; one that hangs must not hold up the node. */
const askWithinMs = 10_000;
const outputMaxBytes = 1 << 20;
/** Slots of a real card: half a card is the default size. */
const slotsOfCard = 2;
export const simulatedMax = { cards: 64, slots: 16 } as const;

/** The machine's real cards; none where there is no `nvidia-smi`, or it fails: `says` tells which. */
export async function discover(
  command = "nvidia-smi",
): Promise<{ readonly devices: readonly DeviceFacts[]; readonly says: string }> {
  const asked = ["--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader"];
  try {
    const text = await run(command, asked);
    const devices = parseCards(text);
    return { devices, says: `${command} shows ${devices.length} card${devices.length === 1 ? "" : "s"}` };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    return {
      devices: [],
      says: absent ? `${command} is not installed` : `${command} failed: ${(error as Error).message}`,
    };
  }
}

/** Lines of `index, uuid, name, memory`. Throws `SyntaxError` on a line that is none. */
export function parseCards(text: string): readonly DeviceFacts[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const [index, uuid, ...rest] = line.split(",").map((part) => part.trim());
    const name = rest.slice(0, -1).join(", ");
    if (!/^\d+$/.test(index ?? "") || !uuid?.startsWith("GPU-") || name === "")
      throw new SyntaxError(`not a card: ${line}`);
    return { index: Number(index), uuid, name, slots: slotsOfCard, simulated: false };
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

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { timeout: askWithinMs, killSignal: "SIGKILL", maxBuffer: outputMaxBytes },
      (error, stdout) => {
        if (error) reject(error);
        else resolve(stdout);
      },
    );
  });
}
