/**
 * Follows what git and its clients say to each other while it passes, in pieces as they come, and keeps next to nothing of it: how many
 * objects a pack has and what its sum is, how many references a push names, and what git says of it (gitprotocol-pack, gitprotocol-v2).
 */

/** The first 12 bytes of a pack: a word, a version, and how many objects it has. */
const packHeadBytes = 12;
const packSumBytes = 20;
/** What git says to the person who waits; the last of it tells why it failed. */
const saidMaxChars = 8 << 10;
/** git's report has a line for each reference of a push. */
const reportMaxBytes = 1 << 20;

/** A pack of which no more is kept than its two ends. */
class Pack {
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);

  push(piece: Uint8Array): void {
    if (this.#head.length < packHeadBytes)
      this.#head = Buffer.concat([this.#head, piece.subarray(0, packHeadBytes - this.#head.length)]);
    const end = piece.subarray(-packSumBytes);
    this.#tail = Buffer.concat([this.#tail, end]).subarray(-packSumBytes);
  }

  /** Undefined until its head has come, or where it is no pack. */
  get objects(): number | undefined {
    const isPack = this.#head.length === packHeadBytes && this.#head.toString("latin1", 0, 4) === "PACK";
    return isPack ? this.#head.readUInt32BE(8) : undefined;
  }

  /** Of one that has come to its end: `pack:…`, the sum that stands there. Undefined where there is no pack. */
  get digest(): string | undefined {
    return this.objects === undefined ? undefined : `pack:${this.#tail.toString("hex")}`;
  }
}

interface Heard {
  /** A piece of a packet; `first`: the packet's first byte; `isBegin`: the piece begins with it. */
  onPiece(piece: Uint8Array, packet: { readonly first: number; readonly isBegin: boolean }): void;
  /** A packet without a content: `0000` and its like. */
  onBoundary(length: number): void;
  /** What is no packet, to the end of all. */
  onRaw(piece: Uint8Array): void;
}

/** Cuts a stream into packets without keeping them. */
class Packets {
  readonly #heard: Heard;
  #digits = "";
  #left = 0;
  #first = 0;
  #isBegin = false;
  #isRaw = false;

  constructor(heard: Heard) {
    this.#heard = heard;
  }

  /** From here on there are no packets. */
  endPackets(): void {
    this.#isRaw = true;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#isRaw) return this.#heard.onRaw(chunk.subarray(at));
      if (this.#left === 0) {
        this.#digits += String.fromCharCode(chunk[at] ?? 0);
        at += 1;
        if (this.#digits.length === 4) this.#begin();
        continue;
      }
      const piece = chunk.subarray(at, at + this.#left);
      if (this.#isBegin) this.#first = piece[0] ?? 0;
      this.#heard.onPiece(piece, { first: this.#first, isBegin: this.#isBegin });
      this.#isBegin = false;
      this.#left -= piece.length;
      at += piece.length;
    }
  }

  #begin(): void {
    const digits = this.#digits;
    this.#digits = "";
    if (!/^[0-9a-f]{4}$/i.test(digits)) {
      this.#isRaw = true;
      return this.#heard.onRaw(Buffer.from(digits, "latin1"));
    }
    const length = Number.parseInt(digits, 16);
    if (length <= 4) return this.#heard.onBoundary(length);
    [this.#left, this.#isBegin] = [length - 4, true];
  }
}

/** What a client sends with a push: commands, perhaps options, and a pack. */
export class SentPush {
  readonly #pack = new Pack();
  readonly #packets: Packets;
  /** Of packets that are still to end: the commands, and where the client has some, its options. */
  #sections = 1;
  #refs = 0;
  /** Its first command: a packet has 64 kB at most. */
  #first = "";
  #hasCommands = false;

  constructor() {
    this.#packets = new Packets({
      onPiece: (piece, { isBegin }) => {
        if (this.#hasCommands) return;
        if (isBegin) this.#refs += 1;
        if (this.#refs === 1) this.#first += Buffer.from(piece).toString("latin1");
      },
      onBoundary: () => {
        // What the client knows stands behind its first command.
        if (!this.#hasCommands && this.#first.includes(" push-options")) this.#sections += 1;
        this.#hasCommands = true;
        this.#sections -= 1;
        if (this.#sections === 0) this.#packets.endPackets();
      },
      onRaw: (piece) => this.#pack.push(piece),
    });
  }

  push(chunk: Uint8Array): void {
    this.#packets.push(chunk);
  }

  /** References that it is to change; none: it only asks whether it may push. */
  get refs(): number {
    return this.#refs;
  }

  get objects(): number | undefined {
    return this.#pack.objects;
  }

  get digest(): string | undefined {
    return this.#pack.digest;
  }
}

/** What git answers to a fetch. */
export class GivenPack {
  readonly #pack = new Pack();
  readonly #said = new Said();
  readonly #packets = new Packets({
    onPiece: (piece, { first, isBegin }) => {
      const content = isBegin ? piece.subarray(1) : piece;
      if (first === 1) this.#pack.push(content);
      else if (first === 3) this.#said.push(content);
      else if (first === "E".charCodeAt(0)) this.#said.push(piece);
    },
    onBoundary: () => undefined,
    onRaw: (piece) => this.#pack.push(piece),
  });

  push(chunk: Uint8Array): void {
    this.#packets.push(chunk);
  }

  get objects(): number | undefined {
    return this.#pack.objects;
  }

  get digest(): string | undefined {
    return this.#pack.digest;
  }

  /** Why git gives none; empty where it did not say so. */
  get refusal(): string {
    return this.#said.text.replace(/^ERR /, "").trim();
  }
}

/** What git answers to a push: its report, and what its programs say meanwhile. */
export class PushReport {
  readonly #said = new Said();
  readonly #packets = new Packets({
    onPiece: (piece, { first, isBegin }) => {
      const content = isBegin ? piece.subarray(1) : piece;
      if (first === 1) this.#report(content);
      else if (first === 2 || first === 3) this.#said.push(content);
      // A client that knows no bands is answered with the report alone.
      else if (this.#isRoom(piece)) this.#line(piece, isBegin);
    },
    onBoundary: () => undefined,
    onRaw: () => undefined,
  });
  /** The report is packets within the packets of its band. */
  readonly #lines: string[] = [];
  readonly #inner = new Packets({
    onPiece: (piece, { isBegin }) => this.#line(piece, isBegin),
    onBoundary: () => undefined,
    onRaw: () => undefined,
  });
  #reported = 0;

  push(chunk: Uint8Array): void {
    this.#packets.push(chunk);
  }

  /** `unpack ok`, `ok refs/heads/main`, `ng refs/heads/main why` */
  get lines(): readonly string[] {
    return this.#lines.map((line) => line.trim());
  }

  get said(): string {
    return this.#said.text;
  }

  #report(content: Uint8Array): void {
    if (this.#isRoom(content)) this.#inner.push(content);
  }

  #isRoom(content: Uint8Array): boolean {
    this.#reported += content.length;
    return this.#reported <= reportMaxBytes;
  }

  #line(piece: Uint8Array, isBegin: boolean): void {
    const text = Buffer.from(piece).toString("utf8");
    if (isBegin) this.#lines.push(text);
    else this.#lines.push(`${this.#lines.pop() ?? ""}${text}`);
  }
}

class Said {
  #text = "";

  push(piece: Uint8Array): void {
    this.#text = `${this.#text}${Buffer.from(piece).toString("utf8")}`.slice(-saidMaxChars);
  }

  get text(): string {
    return this.#text;
  }
}
