/** One outbound connection: asked of the gateway, carried both ways, or reset with the reason in the app's log. */
import type { Socket } from "node:net";
import { egressLineMaxBytes, type ConnectAnswer } from "../../contract/egress.ts";
import { reachGateway } from "./gateway-link.ts";
import type { Notes } from "./notes.ts";
import type { Destination } from "./original-destination.ts";

/** The gateway paces, resolves and dials meanwhile, and has bounds of its own, smaller in all; this one is for a gateway that hangs. */
const answerWithinMs = 60_000;
/** What the app has not read so long after its connection broke is not waited for. */
const flushWithinMs = 30_000;
const newline = 10;
const nothing = Buffer.alloc(0);

/** Takes `socket`, which is paused and whose errors end it, to where it wanted to go; resolves once the gateway has answered or not. Never rejects. */
export async function connectThrough(socket: Socket, to: Destination, gateway: string, notes: Notes): Promise<void> {
  const stop = new AbortController();
  if (socket.destroyed) return;
  socket.once("close", () => stop.abort());
  const place = to.address.includes(":") ? `[${to.address}]:${to.port}` : `${to.address}:${to.port}`;
  const late = setTimeout(() => stop.abort(new Error("no answer in time")), answerWithinMs);
  try {
    const up = await reachGateway(gateway, stop.signal);
    up.on("error", () => up.destroy());
    const { answer, rest } = await ask(up, to, stop.signal);
    if (answer.ok) carry(socket, up, rest, answer, notes, to.port);
    else {
      up.destroy();
      notes.tell(`${answer.code} ${place}`, `${answer.code}: ${answer.says} (${answer.connection})`);
      reset(socket);
    }
  } catch (error) {
    if (socket.destroyed) return; // the app did not wait
    notes.tell(
      "gateway",
      `egress/gateway-down: ${place} was not reached: the node's gateway does not answer (${(error as Error).message})`,
    );
    reset(socket);
  } finally {
    clearTimeout(late);
  }
}

interface Answered {
  readonly answer: ConnectAnswer;
  /** What came behind the answer's line. */
  readonly rest: Buffer;
}

/** Rejects where the gateway closes or says what is no answer. Leaves `up` paused. */
function ask(up: Socket, to: Destination, signal: AbortSignal): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  let head = nothing;
  const aborted = (): void => void up.destroy(signal.reason as Error);
  const take = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf(newline);
    if (end === -1 && head.length < egressLineMaxBytes) return;
    signal.removeEventListener("abort", aborted);
    up.off("data", take);
    up.pause();
    const answer = end === -1 ? undefined : parse(head.subarray(0, end));
    if (answer) resolve({ answer, rest: head.subarray(end + 1) });
    else up.destroy(new Error("what it said is no answer"));
  };
  up.on("data", take);
  up.once("end", () => reject(new Error("it closed the connection without an answer")));
  up.once("close", () => reject(up.errored ?? new Error("it closed the connection without an answer")));
  signal.addEventListener("abort", aborted, { once: true });
  up.write(`${JSON.stringify({ connect: to })}\n`);
  return promise;
}

function carry(
  socket: Socket,
  up: Socket,
  first: Buffer,
  { name, connection }: ConnectAnswer & { readonly ok: true },
  notes: Notes,
  port: number,
): void {
  let received = first.length;
  const broke = (): void => {
    if (received === 0 && !socket.destroyed)
      notes.tell(
        `broke ${name} ${port}`,
        `the connection to ${name}:${port} broke before anything came back (${connection})`,
      );
    resetAfterFlush(socket);
  };
  up.on("data", (bytes: Buffer) => (received += bytes.length));
  up.once("end", () => {
    // Where this side has ended too, nobody can tell; else an empty write tells a half that was shut down from a connection that is gone.
    if (up.writableEnded) socket.end();
    else up.write(nothing, (error) => (error ? broke() : socket.end()));
  });
  up.once("close", () => {
    if (!up.readableEnded) broke();
  });
  socket.once("close", () => {
    if (socket.readableEnded) up.destroySoon();
    else up.destroy();
  });
  if (first.length > 0) socket.write(first);
  up.pipe(socket, { end: false });
  socket.pipe(up);
}

function parse(line: Buffer): ConnectAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // the caller resets: what is no answer is no permission
    throw error;
  }
  const { ok, connection, name, code, says } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof connection !== "string") return undefined;
  if (ok === true && typeof name === "string") return { ok, connection, name };
  return ok === false && typeof code === "string" && typeof says === "string"
    ? { ok, connection, code, says }
    : undefined;
}

/** The app has all that came before it sees the break, where it reads at all. */
function resetAfterFlush(socket: Socket): void {
  if (socket.destroyed || socket.writableLength === 0) return reset(socket);
  const late = setTimeout(() => reset(socket), flushWithinMs).unref();
  socket.write(nothing, () => {
    clearTimeout(late);
    reset(socket);
  });
}

/** The app sees its connection reset. */
export function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
