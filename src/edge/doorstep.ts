/** What a new connection speaks, told by its first bytes: TLS, HTTP/2 with prior knowledge, or HTTP/1.1. */
import type { Socket } from "node:net";

export type Spoken = "tls" | "http/2" | "http/1.1";

/** RFC 9113 §3.4. HTTP/1.1 has no method of this name (RFC 9113 §11.6). */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** RFC 8446 §5.1: the record that begins every handshake. No method of HTTP begins with it. */
const handshakeRecord = 22;

/** Undefined where more bytes are needed to tell. */
export function spokenBy(first: Buffer): Spoken | undefined {
  if (first.length === 0) return undefined;
  if (first[0] === handshakeRecord) return "tls";
  const most = Math.min(first.length, preface.length);
  if (preface.compare(first, 0, most, 0, most) !== 0) return "http/1.1";
  return most === preface.length ? "http/2" : undefined;
}

export interface Doorstep {
  /** Of a connection that has said nothing yet. */
  readonly withinMs: number;
  /** The connection is as it came, nothing of it is read. Whoever takes it makes it flow. */
  readonly onSpoken: (socket: Socket, spoken: Spoken) => void;
}

/** Waits for the first bytes and puts them back. One that ends or says too little in time is dropped without a word. */
export function readFirstBytes(socket: Socket, { withinMs, onSpoken }: Doorstep): void {
  let first: Buffer | undefined;
  const drop = (): void => void socket.destroy();
  const late = setTimeout(drop, withinMs);
  const take = (bytes: Buffer): void => {
    first = first === undefined ? bytes : Buffer.concat([first, bytes]);
    const spoken = spokenBy(first);
    if (spoken === undefined) return;
    clearTimeout(late);
    socket.off("data", take).off("end", drop).off("error", drop).off("close", forget).pause();
    socket.unshift(first);
    onSpoken(socket, spoken);
  };
  const forget = (): void => clearTimeout(late);
  socket.on("error", drop).on("end", drop).on("close", forget).on("data", take);
}
