/** An agent that keeps a shim in advance: prints its pid when it waits, and goes on until it is killed. */
import { keepSpare } from "../../src/runtime/spares.ts";
import { tools } from "./replicas.ts";

const spares = keepSpare({
  program: tools,
  folder: process.argv[2] as string,
  ports: () => [443],
  filled: () => Promise.resolve(),
  log: console,
  availableBytes: () => Infinity,
  pauseMs: 0,
});
await spares.settled();
console.log(spares.take()?.child.pid);
setInterval(() => undefined, 60_000);
