/** HTTP/2 by hand: frames as no library would send them, and what comes back (RFC 9113 §4.1, RFC 7541 §6.2.2). */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { eventually } from "./eventually.ts";

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const flags = { none: 0, ack: 1, endStream: 1, endHeaders: 4 } as const;
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flag: number, stream: number, payload: Buffer | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** Fields as literals that no table keeps, in latin1 and without Huffman's code: any byte may stand in them. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) =>
      [Buffer.from([0]), ...[name, value].flatMap((text) => [length(text), text])].map((part) =>
        typeof part === "string" ? Buffer.from(part, "latin1") : part,
      ),
    ),
  );
}

function length(text: string): Buffer {
  const bytes: number[] = [];
  let left = text.length;
  if (left < 127) return Buffer.from([left]);
  bytes.push(127);
  left -= 127;
  while (left >= 128) {
    bytes.push((left % 128) + 128);
    left = Math.floor(left / 128);
  }
  return Buffer.from([...bytes, left]);
}

export function headers(stream: number, fields: readonly (readonly [string, string])[], flag: number): Buffer {
  return frame(frameTypes.headers, flag, stream, headerBlock(fields));
}

/** A connection that has said the preface and its (empty) settings, and keeps all frames that come. */
export class RawHttp2 {
  readonly frames: Frame[] = [];
  closed = false;
  readonly #socket: Socket;
  #pending = Buffer.alloc(0);

  constructor(
    port: number,
    { settings = Buffer.alloc(0), tls }: { settings?: Buffer; tls?: { servername: string; ca: string } } = {},
  ) {
    this.#socket =
      tls === undefined
        ? connect({ host: "127.0.0.1", port })
        : connectTls({ host: "127.0.0.1", port, ...tls, ALPNProtocols: ["h2"] });
    this.#socket
      .on("data", (bytes: Buffer) => this.#onData(bytes))
      .on("error", () => {})
      .on("close", () => (this.closed = true));
    this.send(preface, frame(frameTypes.settings, 0, 0, settings));
  }

  send(...parts: (Buffer | string)[]): void {
    for (const part of parts) this.#socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
  }

  of(stream: number, type: number): Frame[] {
    return this.frames.filter((one) => one.stream === stream && one.type === type);
  }

  body(stream: number): string {
    return Buffer.concat(this.of(stream, frameTypes.data).map(({ payload }) => payload)).toString("latin1");
  }

  /** How the stream ended: the body of its answer, or by which error it was reset. */
  async end(stream: number): Promise<{ readonly body: string } | { readonly reset: number }> {
    return eventually(`the end of stream ${stream}`, () => {
      const reset = this.of(stream, frameTypes.reset)[0];
      const whole = this.frames.some(
        (one) => one.stream === stream && one.type <= frameTypes.headers && (one.flags & flags.endStream) !== 0,
      );
      if (whole) return { body: this.body(stream) };
      if (reset !== undefined) return { reset: reset.payload.readUInt32BE(0) };
      return this.closed ? { reset: -1 } : undefined;
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 9) {
      const size = this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < 9 + size) return;
      this.frames.push({
        type: this.#pending[3] as number,
        flags: this.#pending[4] as number,
        stream: this.#pending.readUInt32BE(5) & 0x7f_ff_ff_ff,
        payload: Buffer.from(this.#pending.subarray(9, 9 + size)),
      });
      this.#pending = this.#pending.subarray(9 + size);
    }
  }
}
