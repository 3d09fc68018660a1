/** The ledger behind the smallest possible server, and the same server without a ledger. */
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { Engine } from "../src/control/engine.ts";
import { attach, end, leaseOf, schedule } from "./engine-calls.ts";

/** What the client sends for each step; the server fills in what the terms need. */
interface Asked {
  readonly caller: number;
  readonly call: string;
  readonly fence: number;
}

/** `POST /schedule`, `/attach`, `/end`, each answered with the call and its fence once it is durable. */
export function engineServer(engine: Engine): Server {
  return createServer((request, response) => {
    void (async () => {
      const asked = JSON.parse(await bodyOf(request)) as Asked;
      response.end(JSON.stringify(await answer(engine, request.url ?? "", asked)));
    })();
  });
}

/** Reads the same bodies and answers with bodies of the same size. */
export function bareServer(): Server {
  const body = JSON.stringify({ call: "c_0000000000000000", fence: 1234 });
  return createServer((request, response) => {
    void bodyOf(request).then(() => response.end(body));
  });
}

async function answer(
  engine: Engine,
  url: string,
  { caller, call, fence }: Asked,
): Promise<{ call: string; fence: number }> {
  switch (url) {
    case "/schedule":
      return leaseOf(await engine.submit(schedule(caller)));
    case "/attach":
      await engine.submit(attach(call, fence));
      return { call, fence };
    default:
      await engine.submit(end(call, fence));
      return { call, fence };
  }
}

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => resolve(body));
    request.on("error", reject);
  });
}
