/** The worker's entry: loads the app's module, gets the platform's permission to use the GPU, and runs one call at a time. */
import { DeviceApi } from "./device.ts";
import { take } from "./errors.ts";
import type { FromWorker, RunMessage, ToWorker } from "./messages.ts";
import { find } from "./registry.ts";
import type { Work } from "./types.ts";

let current: AbortController | undefined;

process.on("message", (message: ToWorker) => {
  if (message.type === "abort") current?.abort(new Error(message.why));
  else void run(message);
});
// Without its parent nobody wants a result, and the platform must not find a process that still holds the GPU.
process.on("disconnect", () => process.exit(0));

async function run(message: RunMessage): Promise<void> {
  const controller = new AbortController();
  current = controller;
  let work: Work<unknown, unknown>;
  try {
    work = await load(message);
    if (message.allow) {
      await new DeviceApi(message.allow.base, message.allow.cgroupFile).allow(message.allow.token, process.pid);
    }
  } catch (error) {
    send({ type: "not-started", error: take(error) });
    return;
  }
  try {
    const result = await work(message.input, {
      progress: (value) => send({ type: "progress", value }),
      signal: controller.signal,
    });
    send({ type: "returned", result });
  } catch (error) {
    send({ type: "raised", error: take(error) });
  }
}

/** Imports the module before the GPU is asked for: loading it is not metered. */
async function load({ module, name }: RunMessage): Promise<Work<unknown, unknown>> {
  await import(module);
  const declared = find({ module, name });
  if (!declared) throw new Error(`${module} declares no gpu() function "${name}" when a worker loads it`);
  return declared.work as Work<unknown, unknown>;
}

/** Sends in order. A value that cannot be copied throws here, in the function's own stack. */
function send(message: FromWorker): void {
  process.send?.(message);
}
