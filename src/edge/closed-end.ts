/** An answer that only the end of its connection ends: a break of what carries it (a line to another machine, a shim that dies) looks the same. */
import { ask } from "./ask.ts";
import type { Upstream } from "./upstream.ts";

/** Whether the replica's shim says that the app's side ended, and that no byte of it is missing here. `sent`: the app had the whole request; else that it broke what it did not read is no fault. */
export async function endedByApp(socket: string, upstream: Upstream, sent: boolean): Promise<boolean> {
  const asked = await ask(socket, upstream.name);
  if (asked.kind !== "answer" || asked.answer.state === "unknown") return false;
  const { connected, errno, stopping, returnedBytes } = asked.answer;
  if (stopping === true || (sent && errno !== undefined)) return false;
  return connected && returnedBytes === upstream.received;
}
