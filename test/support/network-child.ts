/**
 * A sandbox's network in a namespace of its own, for tests: opens it, and runs commands beside it. Started by `unshare`; speaks JSON
 * lines: what it was given as `{ id, command }` comes back as `{ id, code, out }`; `{ note }` is a line for the app's log.
 */
import { execFile } from "node:child_process";
import { createInterface } from "node:readline";
import { openNetwork } from "../../src/runtime/net/network.ts";

const commandWithinMs = 120_000;
const outMaxBytes = 1 << 20;
const { gateway, ports } = JSON.parse(process.argv[2] ?? "{}") as { gateway: string; ports: number[] };
const say = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

const network = await openNetwork({ gateway, ports, note: (note) => say({ note }) });
say({ ready: true, catchAll: network.catchAll });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, command } = JSON.parse(line) as { id: number; command: string };
  execFile(
    "/bin/sh",
    ["-c", command],
    { timeout: commandWithinMs, maxBuffer: outMaxBytes },
    (error, stdout, stderr) => {
      say({ id, code: error ? (error.code ?? error.signal ?? 1) : 0, out: `${stdout}${stderr}`.trim() });
    },
  );
}
await network.close();
say({ closed: true });
