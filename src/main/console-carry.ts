/** Carries the console's requests from an edge in a process of its own to the server's socket; says so where no server is there. */
import { request as ask } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { carriedHeader } from "../contract/edge.ts";
import type { InsideCaller } from "../contract/egress.ts";
import { drain } from "../edge/index.ts";
import type { EdgeOptions, StrangerCounter } from "../edge/index.ts";
import { defaultDeploymentName, problemOf, proxyErrorOf, writeProblem } from "../http/index.ts";
import { notedVisitorOf, visitorOf } from "../http/visitor.ts";
import { encodeCarried } from "./console-door.ts";

export interface ConsoleCarry {
  /** The socket of the server's console. */
  readonly path: string;
  readonly counter: StrangerCounter;
  readonly explainUrl: (id: string) => string;
  /** Since when no server is there, as a sentence. */
  readonly awaySays: () => string;
  /** What the server kept of its status last; undefined where it never did. */
  readonly lastStatus: () => Promise<object | undefined>;
}

/** Of one connection only, on both sides (RFC 9110 §7.6.1); `expect` the edge has answered. */
const ownToConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "expect",
  carriedHeader,
]);

export function carryConsole(carry: ConsoleCarry): EdgeOptions["console"] {
  return (request, response, inside, upgrade) => {
    const asked = ask({
      socketPath: carry.path,
      agent: false,
      setHost: false,
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: [...passed(request.rawHeaders), ...carriedBy(request, inside, upgrade !== undefined)],
    });
    const onFailed = (): void => {
      if (response.headersSent || response.destroyed) response.destroy();
      else if (upgrade === undefined && asksForStatus(request)) void answerLast(carry, request, response);
      else answerAway(carry, request, response);
    };
    asked.on("error", onFailed);
    asked.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passed(answer.rawHeaders));
      // Its end is told by the one that broke: the visitor sees an answer that was cut, the server that nobody reads.
      pipeline(answer, response, () => {});
    });
    if (upgrade === undefined) {
      response.once("close", () => asked.destroy());
      // Not by `pipeline`: where `asked` ends first that destroys the request, and whatever of its body is not read stays on the connection.
      request.pipe(asked);
      request.once("close", () => request.readableEnded || asked.destroy());
      request.on("error", (error) => asked.destroy(error));
      asked.once("close", () => drain(request.unpipe(asked)));
      return;
    }
    asked.on("upgrade", (answer, socket, first) => {
      response.detachSocket(upgrade.socket);
      upgrade.socket.write(switching(answer));
      upgrade.socket.write(first);
      socket.write(upgrade.first);
      pipeline(upgrade.socket, socket, upgrade.socket, () => {}); // Either end's break is the other's.
    });
    asked.end();
  };
}

function passed(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    if (!ownToConnection.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function carriedBy(request: IncomingMessage, inside: InsideCaller | undefined, upgrades: boolean): string[] {
  const carried = encodeCarried({ visitor: notedVisitorOf(request), ...(inside !== undefined && { inside }) });
  // Kept open by the server: one that closes with a body unread resets the connection, and with it the answer that it has given.
  return [carriedHeader, carried, "connection", upgrades ? "upgrade" : "keep-alive"];
}

function switching({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`));
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("")}\r\n`;
}

function asksForStatus({ method, url = "" }: IncomingMessage): boolean {
  return method === "GET" && url.split("?")[0] === "/api/status";
}

/** Of the status it is told what was so last, with when that was. */
async function answerLast(carry: ConsoleCarry, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const last = await carry.lastStatus();
  if (response.headersSent || response.destroyed) return;
  if (last === undefined) return answerAway(carry, request, response);
  const text = JSON.stringify(last);
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(text);
}

/** Counted, not recorded, as all that has no account yet; the answer bears the counter's id. */
function answerAway(
  { counter, explainUrl, awaySays }: ConsoleCarry,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const code = "route/control-down";
  const { address } = visitorOf(request);
  const id = counter.count({ code, host: request.headers.host ?? "", address });
  writeProblem(request, response, {
    problem: problemOf(code, { detail: awaySays(), waybill: id, explain: explainUrl(id) }),
    proxy: { deployment: defaultDeploymentName, error: proxyErrorOf(code) },
    headers: { "x-waybill-id": id },
    close: true,
  });
}
