/** A shim that was started in advance (spares.ts), until it is told which replica it is beside. */
import { flushCompileCache } from "node:module";
import { isIPv6, Socket } from "node:net";
import process from "node:process";
import { readFrames, writeFrame } from "../frames.ts";
import { layRoutes } from "../net/routes.ts";
import { spareFds } from "../sandbox/spare-fds.ts";
import type { Prepared } from "./place.ts";
import type { FromSpare, ToSpare } from "../spares.ts";

export interface Told extends Prepared {
  readonly folder: string;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Resolves when it is told; this process is the replica's user from then on. Without an agent it ends. */
export async function untilTold(ports: readonly number[]): Promise<Told> {
  process.title = "waybill-spare";
  const routes = await layRoutes(ports);
  // What takes V8 and Node long at its first time, as the pattern of such an address.
  isIPv6("::1");
  // Of this process, which reads as root's: no file that it keeps is read by a shim that is a Space's.
  flushCompileCache();
  const line = new Socket({ fd: spareFds.told });
  const told = Promise.withResolvers<Extract<ToSpare, { type: "plan" }>>();
  const mounted = Promise.withResolvers<void>();
  line.on("error", leave);
  line.on("end", leave);
  readFrames<ToSpare>(line, (message) => {
    if (message.type === "plan") return told.resolve(message);
    line.removeAllListeners("end");
    line.destroy();
    mounted.resolve();
  });
  writeFrame<FromSpare>(line, { type: "ready" });
  const { folder, secrets } = await told.promise;
  process.setgid?.(0);
  process.setuid?.(0);
  process.title = "waybill-shim";
  return { folder, secrets, mounted: mounted.promise, laid: { ports, routes } };
}

/** Nobody is there to be told what it is; nothing of it is to be written, and no app has begun. */
function leave(): void {
  process.kill(process.pid, "SIGKILL");
}
