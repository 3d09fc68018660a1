/** A DNS server on this machine that knows the TXT and CNAME records of a test, and of nothing else. */
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { formatError, outcome, parseQuestion } from "../../src/egress/dns.ts";

const types = { cname: 5, txt: 16 } as const;
const headerBytes = 12;

export class DnsServer implements Disposable {
  readonly txt = new Map<string, readonly string[]>();
  readonly cname = new Map<string, string>();
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (message, from) => socket.send(this.#answer(message), from.port, from.address));
  }

  static async start(): Promise<DnsServer> {
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new DnsServer(socket);
  }

  /** For `WAYBILL_DNS_SERVERS`. */
  get place(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #answer(message: Buffer): Uint8Array {
    const question = parseQuestion(message);
    if (question?.name === undefined || question.name === null) return formatError(message) ?? Buffer.alloc(0);
    const { name, type } = question;
    const records =
      type === types.txt
        ? (this.txt.get(name) ?? []).map((text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]))
        : type === types.cname
          ? [this.cname.get(name)].flatMap((alias) => (alias === undefined ? [] : encoded(alias)))
          : [];
    const head = Buffer.alloc(headerBytes);
    head.writeUInt16BE(question.id, 0);
    head.writeUInt16BE(0x8180 | (records.length > 0 ? outcome.ok : outcome.noSuchName), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, question.bytes, ...records.map((data) => record(type, data))]);
  }
}

/** Its name points at the question's. */
function record(type: number, data: Uint8Array): Buffer {
  const fixed = Buffer.from([0xc0, headerBytes, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]);
  return Buffer.concat([fixed, data]);
}

function encoded(name: string): Buffer {
  return Buffer.concat([
    ...name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
}
