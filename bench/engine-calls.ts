/** The calls that the engine's benchmark makes: many callers on many nodes, each call granted at once. */
import type { Answer, Engine } from "../src/control/engine.ts";
import type { Command } from "../src/core/model.ts";
import { newId } from "../src/stdx/ids.ts";
import { prng } from "../src/stdx/prng.ts";
import { durationMs, seconds } from "../src/stdx/time.ts";

const slotsPerNode = 8;
const accounts = 64;

/** Joins as many nodes as give each of the callers a slot. */
export async function prepare(engine: Engine, callers: number): Promise<void> {
  await engine.submit({ type: "set-pool", pool: "main", settings: {} });
  for (let n = 0; n * slotsPerNode < callers; n++) {
    const devices = [0, 1, 2, 3].map((index) => ({
      index,
      uuid: `GPU-${n}-${index}`,
      name: "simulated",
      slots: slotsPerNode / 4,
      simulated: true,
    }));
    await engine.submit({ type: "join-node", node: `n${n}`, pool: "main", devices, replicas: [`p_${n}`] });
  }
}

/** Says that the nodes are there: one that is silent for 45 s is lost. */
export async function hear(engine: Engine, callers: number): Promise<void> {
  for (let n = 0; n * slotsPerNode < callers; n++) await engine.submit({ type: "hear-node", node: `n${n}` });
}

const random = prng(1);

export function schedule(caller: number): Extract<Command, { type: "schedule" }> {
  const node = Math.floor(caller / slotsPerNode);
  return {
    type: "schedule",
    terms: {
      call: newId("c", (count) => random.bytes(count)),
      account: `account-${caller % accounts}`,
      tier: "free",
      billedBy: "token",
      request: null,
      space: "demo/mandelbrot",
      release: "rel_0123456789abcdef",
      replica: `p_${node}`,
      node: `n${node}`,
      pool: "main",
      task: "140234567890",
      endpoint: "/predict",
      declaredMs: seconds(10),
      size: "large",
    },
  };
}

export function attach(call: string, fence: number): Command {
  return { type: "attach", call, fence, pid: 4242 };
}

export function end(call: string, fence: number): Command {
  return { type: "end", call, fence, cause: "returned", usedMs: durationMs(1), workerAlive: false };
}

/** The call and the fence of an answer to {@link schedule}; each caller has a slot, so it is granted at once. */
export function leaseOf(answer: Answer): { call: string; fence: number } {
  const granted = answer.ok ? answer.events.find((event) => event.type === "call-granted") : undefined;
  if (granted === undefined) throw new Error(`not granted at once: ${JSON.stringify(answer)}`);
  return { call: granted.call, fence: granted.lease.fence };
}
