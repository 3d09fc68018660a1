/**
 * Files, and git's packs, on their way between a client and a repository. Each is a work of its own, from the moment that its client is known to the last
 * byte: what it was, how far it came, who was being waited for where it stood still, and what ended it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { codeRow } from "../evidence/codes.ts";
import type { Code } from "../evidence/codes.ts";
import type { Emitter, Facts, Hop } from "../evidence/entry.ts";
import type { transferCodes } from "../evidence/transfer-codes.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { isDiskFull } from "./errors.ts";
import type { GateRefusal } from "./gate.ts";
import { addressOf } from "./git-access.ts";
import { keepPace, paceLimits, waitsForClient, type PaceLimits, type Quiet } from "./pace.ts";

/** Most are over by then, and are one packed record. */
const tellsAfterMs = 2_000;

type TransferCode = keyof typeof transferCodes | GateRefusal["code"];

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
  /** Whom of the platform it waits for now; absent: its own disk and work. */
  readonly waitsFor?: () => "platform" | "git" | "disk";
}

/** What is to be moved. */
export interface Moved {
  readonly path?: string;
  /** `sha256:…` */
  readonly digest?: string;
  /** The first byte of it, in the file. */
  readonly from?: number;
  /** Absent where nobody knows: git packs while it sends. */
  readonly ofBytes?: number;
  /** Of a pack. */
  readonly objects?: number;
  /** References that a push changes. */
  readonly refs?: number;
  /** It is fetched by plain HTTP, and the answer said where to get it by Xet. */
  readonly isXetOffered?: boolean;
}

type Stage = readonly [hop: Hop, ms: number];

/** One that did not come through, which its client may begin again. */
interface Broken {
  readonly id: string;
  readonly tries: number;
}

/** Those that broke off last: a client begins again within minutes. */
const brokenMax = 1_000;

/** What is kept of transfers that broke off, so that the next try says that it is one. */
class BrokenOff {
  readonly #byWhat = new Map<string, Broken>();

  take(what: string): Broken | undefined {
    const found = this.#byWhat.get(what);
    this.#byWhat.delete(what);
    return found;
  }

  add(what: string, broken: Broken): void {
    this.#byWhat.delete(what);
    this.#byWhat.set(what, broken);
    const [oldest] = this.#byWhat.keys();
    if (this.#byWhat.size > brokenMax && oldest !== undefined) this.#byWhat.delete(oldest);
  }
}

export class Transfers {
  readonly #options: TransfersOptions;
  readonly #broken = new BrokenOff();

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** Somebody who is not known is refused; the counter's id is the answer's `X-Waybill-Id`. */
  refuseStranger(request: IncomingMessage, response: ServerResponse, code: TransferCode): void {
    const host = request.headers.host ?? "";
    const address = addressOf(request);
    response.setHeader("x-waybill-id", this.#options.count({ code, host, address, sample: codeRow(code).says }));
  }

  /** Somebody who may know of the repository gets none of its files; told before it is answered. */
  deny(
    request: IncomingMessage,
    response: ServerResponse,
    about: Omit<TransferAbout, "pace">,
    { code, says }: Pick<GateRefusal, "code" | "says">,
  ): void {
    new Transfer(this.#options, this.#broken, request, response, { ...about, pace: paceLimits }, false).refuse(
      code,
      says,
    );
  }

  /** Its id is the answer's `X-Waybill-Id` from here on. What ends the exchange ends it. */
  begin(request: IncomingMessage, response: ServerResponse, about: TransferAbout): Transfer {
    return new Transfer(this.#options, this.#broken, request, response, about);
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
  /** What became known of it on its way. */
  #learned: Facts = {};
  readonly #broken: BrokenOff;
  /** What was tried before, and how often; once it is known what it is. */
  #tries = 1;
  #bytes = 0;
  #pace: Disposable | undefined;
  #telling: NodeJS.Timeout | undefined;
  /** Entries of it are written already. */
  #isTold = false;
  #isOver = false;
  /** Whether what came is kept, of what somebody decides. */
  #decision: "none" | "open" | "kept" = "none";

  /** `isLetIn`: whether its client gets what it asks for, if it is there. */
  constructor(
    options: TransfersOptions,
    broken: BrokenOff,
    request: IncomingMessage,
    response: ServerResponse,
    about: TransferAbout,
    isLetIn = true,
  ) {
    this.id = newId("tr", options.random);
    this.#broken = broken;
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#about = about;
    this.#address = addressOf(request);
    this.#startedAt = options.clock.wall();
    this.#begunAt = options.clock.monotonic();
    response.setHeader("x-waybill-id", this.id);
    response.once("close", () => this.#closed());
    if (isLetIn) this.#pass("transfer.negotiate");
  }

  /** It is known what is to be moved, and that it may be. */
  negotiated(moved: Moved): void {
    this.#moved = moved;
    if (this.#isOver) return;
    const before = this.#broken.take(this.#what);
    if (before !== undefined) {
      this.#tries = before.tries + 1;
      this.learn({ tries: this.#tries, link: [before.id] });
    }
    this.watch();
    this.#pass("transfer.move");
  }

  /** From here on its pace is watched, and who asks for it finds it: also where it is not known yet what is to be moved. */
  watch(): void {
    if (this.#isOver) return; // Its client has left: nothing would end the watch over its pace.
    this.#pace ??= keepPace(this.#request, this.#response, this.#options.clock, {
      limits: this.#about.pace,
      onQuiet: (quiet) => this.#quiet(quiet),
      onGivenUp: (quiet) => this.#end("failed", "transfer/stalled", undefined, { ...quiet }),
    });
    this.#telling ??= setTimeout(() => this.#tellOpen(), tellsAfterMs).unref();
  }

  /** So many bytes are given away at once. */
  passed(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Links add up. */
  learn(facts: Facts & { readonly link?: readonly string[] }): void {
    const link = [...((this.#learned["link"] as readonly string[] | undefined) ?? []), ...(facts.link ?? [])];
    this.#learned = { ...this.#learned, ...facts, ...(link.length > 0 && { link }) };
  }

  /** All of an upload has come: whether it is what was announced is to be said. */
  verify(): void {
    if (this.#hop !== "transfer.verify") this.#pass("transfer.verify");
  }

  /** While `work` decides what becomes of all that came, its client's leaving ends nothing; nor does it where `work` gives what was kept. */
  async decided<Kept>(work: () => Promise<Kept | undefined>): Promise<Kept | undefined> {
    this.#decision = "open";
    let kept: Kept | undefined;
    try {
      kept = await work();
      return kept;
    } finally {
      this.#decision = kept === undefined ? "none" : "kept";
      if (this.isClosed) this.#closed();
    }
  }

  /** It is through, whatever else its client is told on the same connection. */
  through(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#isOver = true;
    this.#tellThrough();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nobody is left to be told. */
  get isClosed(): boolean {
    return this.#response.destroyed;
  }

  /** What is missing now is the client's: it has not sent all, or does not take what is there. */
  get isForClient(): boolean {
    return waitsForClient(this.#request, this.#response);
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
    if (this.#about.direction === "upload") this.verify();
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
      if (!this.#response.destroyed) this.fail(isDiskFull(error) ? "transfer/disk-full" : "transfer/failed");
      throw error;
    }
  }

  /** Whoever moves the same again is likely to try again what broke off: of git, which packs anew, any pack. */
  get #what(): string {
    const { direction, via, repository, account } = this.#about;
    const { digest = "", path = "" } = this.#moved ?? {};
    return [direction, via, repository, account ?? this.#address, digest || path].join(" ");
  }

  /** How long it was in each hop that it has come to, by the hop's last word: `moveMs`. */
  get #durations(): Facts {
    let since = 0;
    return Object.fromEntries(
      [...this.#stages, this.#stage].flatMap(([hop, ms]) => {
        const took = ms - since;
        since = ms;
        return hop === "transfer.auth" ? [] : [[`${hop.slice("transfer.".length)}Ms`, Math.round(took)]];
      }),
    );
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
    const ours = this.#about.waitsFor?.();
    const waitingFor = quiet.waitingFor === "client" ? "client" : (ours ?? "platform");
    this.#write(this.#hop, "took", { ...this.#facts(), ...quiet, waitingFor });
  }

  #stop(): void {
    this.#pace?.[Symbol.dispose]();
    clearTimeout(this.#telling);
  }

  #closed(): void {
    this.#stop();
    if (this.#isOver || this.#decision === "open") return;
    const { writableFinished, statusCode } = this.#response;
    if (!writableFinished && this.#decision !== "kept") return this.#end("failed", "transfer/client-left");
    this.#isOver = true;
    if (statusCode < 400) this.#tellThrough();
  }

  #tellThrough(): void {
    // An answer without a file: a client that asked how large it is, or one that has it already.
    if (this.#moved === undefined && !this.#isTold) return;
    const facts = { ...this.#facts(), ...this.#durations };
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
    // One that was refused for what it is would be refused again: what is sent then is another's.
    if (mark === "failed" && this.#moved !== undefined)
      this.#broken.add(this.#what, { id: this.id, tries: this.#tries });
    if (this.#about.account !== null || mark === "failed") {
      this.#write(this.#hop, mark, { ...this.#facts(), ...this.#durations, ...more, code, says });
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
      ...this.#learned,
    };
  }
}
