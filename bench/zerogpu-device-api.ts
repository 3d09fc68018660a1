/** A bare stand-in for the Device API, in a process of its own: grants everything at once, knows warm workers, keeps nothing. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Each task has an index of its own, so that no worker is in another's way. */
const tasks = new Map<string, number>();

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://device");
  request.resume();
  const task = url.searchParams.get("taskId") ?? "";
  const known = tasks.get(task);
  const index = known ?? tasks.size;
  if (url.pathname === "/schedule") tasks.set(task, index);
  const grant = { idle: known !== undefined, nvidiaIndex: index, nvidiaUUID: `GPU-${index}`, allowToken: `t${index}` };
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(JSON.stringify(url.pathname === "/schedule" ? grant : {}));
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on("disconnect", () => process.exit(0));
