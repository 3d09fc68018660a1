/** One outbound connection: asked of the gateway, carried both ways, or reset with the reason in the app's log. */
import { connect, type Socket } from "node:net";
import { egressLineMaxBytes, type ConnectAnswer } from "../../contract/egress.ts";
import type { Notes } from "./notes.ts";
import type { Destination } from "./original-destination.ts";

/** The gateway resolves and dials meanwhile, and has bounds of its own; this one is for a gateway that hangs. */
const answerWithinMs = 60_000;
const newline = 10;

/** Takes `socket`, which is paused, to where it wanted to go. */
export function connectThrough(socket: Socket, to: Destination, gateway: string, notes: Notes): void {
  const up = connect({ path: gateway, allowHalfOpen: true });
  const late = setTimeout(() => up.destroy(new Error("no answer in time")), answerWithinMs);
  let answered = false;
  let head = Buffer.alloc(0);
  socket.on("error", () => up.destroy());
  socket.on("close", () => up.destroy());
  up.on("error", (error) => {
    if (!answered)
      notes.tell(
        "gateway",
        `egress/gateway-down: ${to.address}:${to.port} was not reached: the node's gateway does not answer (${error.message})`,
      );
    reset(socket);
  });
  up.on("close", () => {
    clearTimeout(late);
    if (!answered) return reset(socket);
    if (up.readableEnded) socket.end();
    else reset(socket);
  });
  const onHead = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf(newline);
    if (end === -1) {
      if (head.length > egressLineMaxBytes) up.destroy(new Error("an answer without an end"));
      return;
    }
    clearTimeout(late);
    up.off("data", onHead);
    answered = true;
    const answer = parse(head.subarray(0, end));
    if (answer === undefined || !answer.ok) {
      if (answer)
        notes.tell(`${answer.code} ${to.address} ${to.port}`, `${answer.code}: ${answer.says} (${answer.connection})`);
      up.destroy();
      return reset(socket);
    }
    up.pause();
    const rest = head.subarray(end + 1);
    if (rest.length > 0) socket.write(rest);
    up.pipe(socket);
    socket.pipe(up);
  };
  up.on("data", onHead);
  up.once("connect", () => up.write(`${JSON.stringify({ connect: to })}\n`));
}

function parse(line: Buffer): ConnectAnswer | undefined {
  try {
    return JSON.parse(line.toString("utf8")) as ConnectAnswer;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // the caller resets: an answer that is none is no permission
    throw error;
  }
}

/** The app sees its connection reset. */
function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
