/** Who uses the node's cards, as the driver's list of processes says. */
import { basename } from "node:path";
import { readlinkSync } from "node:fs";
import type { CardStranger, DeviceFacts } from "../contract/agent.ts";
import { memoryIn, type SmiAnswer } from "./nvidia-smi.ts";

/** `cards`: the one that is listed, or all instances of it. */
export type CardProcess = CardStranger;

const programMaxLength = 64;
/** The inode of the machine's first pid namespace (Linux, proc_ns.h): there, pids are the machine's own. */
const firstNamespace = "pid:[4026531836]";

/** The processes on these cards. Throws `SyntaxError` for what is no list of processes. */
function parseProcesses(lines: readonly string[], devices: readonly DeviceFacts[]): readonly CardProcess[] {
  return lines.flatMap((line) => {
    const [pid = "", uuid = "", memory = "", ...program] = line.split(",").map((part) => part.trim());
    if (!/^[1-9]\d*$/.test(pid) || !/^(?:GPU|MIG)-/.test(uuid)) throw new SyntaxError(`not a process: ${line}`);
    const cards = devices.filter((card) => card.uuid === uuid || card.instanceOf === uuid);
    if (cards.length === 0) return [];
    return {
      pid: Number(pid),
      cards: cards.map((card) => card.uuid),
      program: basename(program.join(",")).slice(0, programMaxLength),
      memoryMiB: memoryIn(memory) ?? null,
    };
  });
}

/** What a look at the list found; `unseen`: why it found nothing, in words. */
export type SeenProcesses =
  | { readonly processes: readonly CardProcess[]; readonly unseen: null }
  | { readonly processes: null; readonly unseen: string };

export function seenIn(answer: SmiAnswer, devices: readonly DeviceFacts[], strange = strangePids()): SeenProcesses {
  if (strange !== null) return { processes: null, unseen: strange };
  if (!answer.ok) return { processes: null, unseen: answer.says };
  try {
    return { processes: parseProcesses(answer.lines, devices), unseen: null };
  } catch (error) {
    return { processes: null, unseen: (error as Error).message };
  }
}

/**
 * Why pids of the list may not be those of this process's own view of the machine; null where they are. Older drivers list the
 * machine's numbers also to a container, where another process may have the same one.
 */
function strangePids(): string | null {
  return readNamespace() === firstNamespace
    ? null
    : "the agent is in a pid namespace of its own, where the driver's list of processes may name others";
}

function readNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return ""; // No /proc: then nothing is known, and nobody is ended.
  }
}
