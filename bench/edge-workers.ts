/**
 * Two workers of `waybill edge` beside one: two whole platforms of the same kind, each with its edge apart, asked in turn by the same
 * visitors. What counts is the CPU time of the workers alone: server, parent, shim and app have no part in it.
 */
import { Role } from "../test/support/cluster.ts";
import { freePort } from "../test/support/free-port.ts";
import { Platform, until } from "../test/support/platform.ts";
import { appProgram, type Side } from "./edge-sides.ts";

/** The benchmark asks one Space for more than one may be asked for. */
const allowed = { WAYBILL_SPACE_REQUESTS_PER_SECOND: "1000000" };

/** Its workers, with all that they need; `alice/demo` is what the benchmark's visitors ask for. */
export async function workersSide(count: number, stack: AsyncDisposableStack): Promise<Side> {
  const port = await freePort();
  const up = stack.use(await Platform.start({ apart: port, gpus: null, service: true, env: allowed }));
  const edge = new Role("edge", ["edge", "--data", up.data, "--workers", String(count)], allowed);
  stack.defer(async () => void (await edge.end("SIGTERM")));
  await edge.start().ready;
  const alice = await up.account("alice");
  const { deployed } = await up.deploy(alice, "demo", { "server.js": appProgram });
  if (!deployed.ok) throw new Error(`the app of the workers' benchmark does not run: ${deployed.says}`);
  const workers = await until(`${count} workers with whole copies`, async () => {
    const all = (await up.admin.status()).edge ?? [];
    return all.length === count && all.every(({ behind, heardMs }) => behind === 0 && heardMs !== null) && all;
  });
  const name = count === 1 ? "one worker" : `${count} workers`;
  // Nobody looks at their memory here.
  return { name, port, pids: workers.map(({ pid }) => pid), collect: async () => undefined };
}
