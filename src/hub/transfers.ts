/**
 * Files on their way between a client and a repository. Each is a work of its own, from the moment that its client is known to the last
 * byte: what it was, how far it came, who was being waited for where it stood still, and what ended it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { codeRow } from "../evidence/codes.ts";
import type { Code } from "../evidence/codes.ts";
import type { Emitter, Facts, Hop } from "../evidence/entry.ts";
import type { transferCodes } from "../evidence/transfer-codes.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { addressOf } from "./git-access.ts";
import { keepPace, type PaceLimits, type Quiet } from "./pace.ts";

/** Most are over by then, and are one packed record. */
const tellsAfterMs = 2_000;

type TransferCode = keyof typeof transferCodes;

export interface TransfersOptions {
  readonly emitter: Pick<Emitter, "write" | "pack">;
  /** Refusals of those without an account. Returns the counter's id. */
  readonly count: (what: {
    readonly code: Code;
    readonly host: string;
    readonly address: string;
    readonly sample: string;
  }) => string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  onFailure(what: string, error: unknown): void;
}

export interface TransferAbout {
  readonly direction: "upload" | "download";
  /** What carries it, as it is told: `git-lfs`. */
  readonly via: string;
  /** `spaces/alice/demo` */
  readonly repository: string;
  /** Null: one without a token. */
  readonly account: string | null;
  readonly pace: PaceLimits;
}

/** What is to be moved. */
export interface Moved {
  readonly path?: string;
  /** `sha256:…` */
  readonly digest?: string;
  /** The first byte of it, in the file. */
  readonly from?: number;
  readonly ofBytes: number;
  /** It is fetched by plain HTTP, and the answer said where to get it by Xet. */
  readonly isXetOffered?: boolean;
}

type Stage = readonly [hop: Hop, ms: number];

export class Transfers {
  readonly #options: TransfersOptions;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** Somebody who is not known is refused; the counter's id is the answer's `X-Waybill-Id`. */
  refuseStranger(request: IncomingMessage, response: ServerResponse, code: TransferCode): void {
    const host = request.headers.host ?? "";
    const address = addressOf(request);
    response.setHeader("x-waybill-id", this.#options.count({ code, host, address, sample: codeRow(code).says }));
  }

  /** Its id is the answer's `X-Waybill-Id` from here on. What ends the exchange ends it. */
  begin(request: IncomingMessage, response: ServerResponse, about: TransferAbout): Transfer {
    return new Transfer(this.#options, request, response, about);
  }
}

export class Transfer {
  readonly id: string;
  readonly #options: TransfersOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #about: TransferAbout;
  readonly #address: string;
  readonly #startedAt: Instant;
  readonly #begunAt: number;
  /** That it has passed. */
  readonly #stages: Stage[] = [];
  #hop: Hop = "transfer.auth";
  #moved: Moved | undefined;
  #bytes = 0;
  #pace: Disposable | undefined;
  #telling: NodeJS.Timeout | undefined;
  /** Entries of it are written already. */
  #isTold = false;
  #isOver = false;

  constructor(options: TransfersOptions, request: IncomingMessage, response: ServerResponse, about: TransferAbout) {
    this.id = newId("tr", options.random);
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#about = about;
    this.#address = addressOf(request);
    this.#startedAt = options.clock.wall();
    this.#begunAt = options.clock.monotonic();
    response.setHeader("x-waybill-id", this.id);
    response.once("close", () => this.#closed());
    this.#pass("transfer.negotiate");
  }

  /** It is known what is to be moved, and that it may be. */
  negotiated(moved: Moved): void {
    this.#moved = moved;
    if (this.#isOver) return; // Its client left before it was known: nothing would end the watch over its pace.
    this.#pace ??= keepPace(this.#request, this.#response, this.#options.clock, {
      limits: this.#about.pace,
      onQuiet: (quiet) => this.#quiet(quiet),
      onGivenUp: (quiet) => this.#end("failed", "transfer/stalled", undefined, { ...quiet }),
    });
    this.#pass("transfer.move");
    this.#telling ??= setTimeout(() => this.#tellOpen(), tellsAfterMs).unref();
  }

  /** So many bytes are given away at once. */
  passed(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Counts what passes. */
  async *passing<Piece extends Uint8Array>(bytes: AsyncIterable<Piece>): AsyncGenerator<Piece, void, void> {
    try {
      for await (const piece of bytes) {
        this.#bytes += piece.length;
        yield piece;
      }
      const of = this.#about.direction === "download" ? (this.#moved?.ofBytes ?? 0) : 0;
      // Its client would wait for the rest for ever.
      if (this.#bytes < of) throw new Error(`${this.#bytes} bytes could be read, and not ${of}`);
    } catch (error) {
      // What is given away is ours to read; once its client has left, an error is that.
      if (this.#about.direction === "download" && !this.#response.destroyed) {
        this.fail("transfer/failed");
        this.#options.onFailure(`a download of ${this.#about.repository} (${this.id})`, error);
      }
      throw error;
    }
    // Of an upload all has come; that it is what was announced is said by its check.
    if (this.#about.direction === "upload") this.#pass("transfer.verify");
  }

  /** Before it is answered. `says`: a sentence about this one. Undefined, so that whoever answers may return it. */
  refuse(code: TransferCode, says?: string): undefined {
    this.#end("refused", code, says);
  }

  /** The platform's own fault, before it is answered. */
  fail(code: TransferCode, says?: string): undefined {
    this.#end("failed", code, says);
  }

  /** What goes wrong within is its end, before it is answered. */
  async during(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Whose client has left, its close says so.
      if (!this.#response.destroyed) this.fail("transfer/failed");
      throw error;
    }
  }

  /** Where it is, and since its beginning for how long. */
  get #stage(): Stage {
    return [this.#hop, this.#options.clock.monotonic() - this.#begunAt];
  }

  #pass(next: Hop): void {
    this.#stages.push(this.#stage);
    this.#hop = next;
  }

  /** Who asks for one that takes longer is to find it. */
  #tellOpen(): void {
    if (this.#isOver || this.#isTold) return;
    this.#isTold = true;
    this.#write("transfer.negotiate", "done", this.#facts());
  }

  /** Where it stands still its entries are written, so that who asks meanwhile is told. */
  #quiet(quiet: Quiet): void {
    if (this.#isOver) return;
    this.#isTold = true;
    this.#write("transfer.move", "took", { ...this.#facts(), ...quiet });
  }

  #closed(): void {
    this.#pace?.[Symbol.dispose]();
    clearTimeout(this.#telling);
    if (this.#isOver) return;
    const { writableFinished, statusCode } = this.#response;
    if (!writableFinished) return this.#end("failed", "transfer/client-left");
    this.#isOver = true;
    // An answer without a file: a client that asked how large it is, or one that has it already.
    if (this.#moved === undefined || statusCode >= 400) return;
    const facts = this.#facts();
    if (this.#isTold) {
      this.#write(this.#hop, "done", { ...facts, ms: this.#options.clock.monotonic() - this.#begunAt });
      return;
    }
    const stages = [...this.#stages, this.#stage];
    this.#options.emitter.pack({ work: this.id, kind: "transfer", startedAt: this.#startedAt, stages, facts });
  }

  #end(mark: "refused" | "failed", code: TransferCode, says = codeRow(code).says, more: Facts = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#about.account !== null || mark === "failed") {
      this.#write(this.#hop, mark, { ...this.#facts(), ...more, code, says });
      return;
    }
    // Anybody can cause it as often as they like.
    const { host = "" } = this.#request.headers;
    const counted = this.#options.count({ code, host, address: this.#address, sample: says });
    if (!this.#response.headersSent) this.#response.setHeader("x-waybill-id", counted);
  }

  #write(hop: Hop, mark: "took" | "done" | "refused" | "failed", facts: Facts): void {
    this.#options.emitter.write({ work: this.id, hop, mark, facts });
  }

  #facts(): Facts {
    const { direction, via, repository, account } = this.#about;
    // What waits here has not passed.
    const bytes = direction === "download" ? this.#bytes - this.#response.writableLength : this.#bytes;
    return {
      ...{ direction, via, repository, account },
      ...(this.#moved !== undefined && { ...this.#moved, bytes: Math.max(0, bytes) }),
    };
  }
}
