/**
 * An agent that keeps a shim in advance: prints its pid when it waits, and goes on until it is killed. With a plan, as JSON, it starts that
 * replica by it, at the first line of its input. With `--one-user` it is as one that is not root.
 */
import { once } from "node:events";
import { launch, type LaunchPlan } from "../../src/runtime/launch.ts";
import { keepSpare } from "../../src/runtime/spares.ts";
import { tools } from "./replicas.ts";
import { isRoot, sandboxPorts } from "./sandboxes.ts";

const oneUser = "--one-user";
const [folder = "", plan] = process.argv.slice(2).filter((argument) => argument !== oneUser);
const spares = keepSpare({
  ownUsers: isRoot && !process.argv.includes(oneUser),
  program: tools,
  folder,
  ports: () => sandboxPorts,
  filled: () => Promise.resolve(),
  log: console,
  availableBytes: () => Infinity,
  pauseMs: 0,
});
await spares.settled();
console.log(spares.waiting);
if (plan !== undefined) {
  await once(process.stdin, "data");
  await launch(JSON.parse(plan) as LaunchPlan, { ...tools, spares });
  console.log("started");
}
setInterval(() => undefined, 60_000);
