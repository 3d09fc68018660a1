/** A shim that was started in advance (spares.ts), until it is told which replica it is beside. */
import { existsSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { isIPv6, Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { volumesMountedName } from "../folder.ts";
import { readFrames, writeFrame } from "../frames.ts";
import { layRoutes } from "../net/routes.ts";
import { spareFds } from "../sandbox/spare-fds.ts";
import type { Prepared } from "./place.ts";
import type { FromSpare, ToSpare } from "../spares.ts";

/** Where it takes longer than a check of a large file system, it has failed, and no agent is there to say so. */
const mountedWithinMs = 180_000;
const lookEveryMs = 5;

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
  line.once("close", leave);
  line.on("error", () => line.destroy());
  line.on("end", () => line.destroy());
  readFrames<ToSpare>(line, (message) => {
    if (message.type === "mounted") return mounted.resolve();
    line.off("close", leave);
    // From here on nothing is needed of the agent: what mounts goes on without it, and leaves a file.
    line.once("close", () => void untilMounted(message.folder).then(mounted.resolve));
    told.resolve(message);
  });
  writeFrame<FromSpare>(line, { type: "ready" });
  const { folder, secrets } = await told.promise;
  process.setgid?.(0);
  process.setuid?.(0);
  process.title = "waybill-shim";
  return { folder, secrets, mounted: mounted.promise, laid: { ports, routes } };
}

async function untilMounted(folder: string): Promise<void> {
  for (let waited = 0; !existsSync(join(folder, volumesMountedName)); waited += lookEveryMs) {
    if (waited > mountedWithinMs) leave();
    await delay(lookEveryMs);
  }
}

/** Nobody is there to be told what it is; nothing of it is to be written, and no app has begun. */
function leave(): void {
  process.kill(process.pid, "SIGKILL");
}
