/**
 * The Xet protocol's server (CAS): takes xorbs and shards, and says where a file's chunks are. Who may was asked when the token was given,
 * which names one repository and one right; it is good for nothing else.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ByteRange } from "../../blobs/blobs.ts";
import { codeRow } from "../../evidence/codes.ts";
import { readBody } from "../../http/index.ts";
import { visitorOf } from "../../http/visitor.ts";
import { newId, type RandomBytes } from "../../stdx/ids.ts";
import type { Clock } from "../../stdx/time.ts";
import { isDiskFull } from "../errors.ts";
import { gateHeaders, type GateRefusal } from "../gate.ts";
import { addressOf, leaving, plainHeaders } from "../git-access.ts";
import { keepPace, paceLimits, type PaceLimits } from "../pace.ts";
import type { Transfer, Transfers } from "../transfers.ts";
import { receiveAll } from "../receive.ts";
import { sendAll } from "../send.ts";
import { Slots, type SlotLimits } from "../slots.ts";
import type { Storage } from "../storage.ts";
import { planOf } from "./plan.ts";
import { partsOf, readRanges } from "./ranges.ts";
import { readingShard, shardMaxBytes } from "./shard.ts";
import { inSteps } from "./steps.ts";
import { allowedOf, sourceOf } from "./sources.ts";
import type { XetStore } from "./store.ts";
import { readAddress, readToken, type XetToken } from "./tickets.ts";
import { sentXorbMaxBytes, xorbMaxBytes } from "./xorb.ts";

export interface XetFaceLimits {
  /** Xorbs that are read at once; as many may be written. */
  readonly places: SlotLimits;
  /** Answers that are put together in memory. */
  readonly answers: SlotLimits;
  readonly pace: PaceLimits;
}

/** What the face needs of the platform. A repository is named as in {@link XetToken}. */
export interface XetDesk {
  /** Its folder; undefined where it is not there. */
  folderOf(repository: string): string | undefined;
  /** Whether the account may read its files now; empty: one without an account. */
  mayRead(repository: string, account: string): Promise<boolean>;
  /** Why it gets none of them, where it may know of the repository; undefined elsewhere. */
  gate(repository: string, account: string): Promise<GateRefusal | undefined>;
  /** The same of writing. */
  mayWrite(repository: string, account: string): Promise<boolean>;
  /** The same of pull requests. */
  mayPropose(repository: string, account: string): Promise<boolean>;
  onFailure(what: string, error: unknown): void;
}

export interface XetFaceOptions {
  readonly store: XetStore;
  readonly storage: Storage;
  readonly transfers: Transfers;
  readonly desk: XetDesk;
  /** Signs tokens and addresses. */
  readonly key: Uint8Array;
  /** The first part of {@link casPath}. */
  readonly instance: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly limits?: Partial<XetFaceLimits>;
}

/** hf_xet opens up to 64 connections at a time. */
const xetFaceLimits: XetFaceLimits = {
  places: { atOnce: 128, perCaller: 64, anonymous: 96, withinMs: 60_000 },
  // Most are some kilobytes and take milliseconds; one of the most terms that a file may have has 25 MB.
  answers: { atOnce: 24, perCaller: 16, anonymous: 12, withinMs: 60_000 },
  pace: paceLimits,
};
/** Each is read whole into memory. */
const shardPlaces = { atOnce: 6, perCaller: 3, anonymous: 1 };
/** While a shard is checked its client hears something so often: a proxy between us closes a silent connection after 60 s. */
const signEveryMs = 5_000;

const tooMany = "Too many others send or read at this moment: try again.";

const pathPattern = /^\/xet\/([\w.-]{1,80})(\/v[12]\/[^?]*)(?:\?(.*))?$/;

/**
 * What follows the platform's address in `casUrl`. Clients remember for weeks what is stored at one: so it is another for another platform,
 * and for another account, whose chunks nobody else may name.
 */
export function casPath(instance: string, account: string): string {
  return `/xet/${instance}.${Buffer.from(account).toString("hex").slice(0, 64) || "0"}`;
}

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** `POST /v1/shards` */
  readonly what: string;
  readonly query: URLSearchParams;
  /** The address of all below the protocol's root, as this client wrote it. */
  readonly base: string;
}

export class XetFace {
  readonly #options: XetFaceOptions;
  readonly #pace: PaceLimits;
  readonly #uploads: Slots;
  readonly #shards: Slots;
  readonly #downloads: Slots;
  readonly #answers: Slots;

  constructor(options: XetFaceOptions) {
    this.#options = options;
    const { places, answers, pace } = { ...xetFaceLimits, ...options.limits };
    this.#pace = pace;
    this.#uploads = new Slots(places);
    this.#shards = new Slots({ ...places, ...shardPlaces });
    this.#downloads = new Slots(places);
    this.#answers = new Slots(answers);
  }

  /** Whether the request is of the Xet protocol; then it is answered, and never fails. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const [match, root = "", path = "", query = ""] = pathPattern.exec(request.url ?? "") ?? [];
    if (match === undefined) return false;
    const id = newId("q", this.#options.random);
    response.setHeader("x-waybill-id", id);
    response.setHeader("x-request-id", id);
    const { origin } = visitorOf(request);
    const base = `${origin}/xet/${root}`;
    const asked = { request, response, what: `${request.method} ${path}`, query: new URLSearchParams(query), base };
    this.#answer(root, asked).catch((error: unknown) => {
      if (response.destroyed) return; // Nobody is left to be told.
      this.#options.desk.onFailure(`${asked.what} of Xet (${id})`, error);
      if (response.headersSent) response.destroy();
      else if (isDiskFull(error)) refuse(response, 507, codeRow("transfer/disk-full").says);
      else refuse(response, 500, `The platform could not do this; its log has the reason under ${id}.`);
    });
    return true;
  }

  async #answer(root: string, asked: Asked): Promise<void> {
    const { response, what } = asked;
    if (root.split(".")[0] !== this.#options.instance)
      return refuse(
        response,
        404,
        "This is another platform than the one that gave this address: ask for a token again.",
      );
    const fetched = /^(GET|HEAD) \/v1\/xorbs\/default\/([0-9a-f]{64})$/.exec(what)?.[2];
    if (fetched !== undefined) return this.#giveXorb(asked, fetched);
    const sent = /^POST \/v1\/xorbs\/[\w-]+\/([0-9a-f]{64})$/.exec(what)?.[1];
    if (sent !== undefined) return this.#takeXorb(asked, sent);
    const shards = /^POST \/(v[12])\/shards$/.exec(what)?.[1];
    if (shards !== undefined) return this.#takeShard(asked, shards === "v2");
    const plan = /^GET \/(v[12])\/reconstructions\/([0-9a-f]{64})$/.exec(what);
    if (plan !== null) return this.#givePlan(asked, plan[2] ?? "", plan[1] === "v2");
    const chunk = /^GET \/v1\/chunks\/[\w-]+\/([0-9a-f]{64})$/.exec(what)?.[1];
    if (chunk !== undefined) return this.#giveChunk(asked, chunk);
    // Grants to send a xorb elsewhere among them: clients send it here then.
    return refuse(response, 404, "There is nothing at this address.");
  }

  async #takeXorb(asked: Asked, xorb: string): Promise<void> {
    const { request, response } = asked;
    const token = this.#token(asked, "write");
    if (token === undefined) return;
    const announced = Number(request.headers["content-length"] ?? NaN);
    if (announced > sentXorbMaxBytes) return refuse(response, 413, `A xorb may have ${xorbMaxBytes} bytes.`);
    if (!(await this.#mayWrite(token, response))) return;
    const ofBytes = Number.isNaN(announced) ? sentXorbMaxBytes : announced;
    const transfer = this.#transfer(asked, "upload", token);
    await transfer.during(async () => {
      const room = await this.#options.storage.admit(token.owner, ofBytes);
      if (!room.ok) {
        transfer.refuse(room.status === 507 ? "transfer/disk-full" : "transfer/tier-limit", room.says);
        return refuse(response, room.status, room.says);
      }
      using _room = room;
      using place = await this.#place(asked, this.#uploads, { account: token.account, transfer });
      if (place === undefined) return;
      transfer.negotiated({ digest: `xorb:${xorb}`, ofBytes });
      const bytes = transfer.passing(receiveAll(request));
      const taken = await this.#options.store.putXorb(xorb, bytes, token);
      if (taken.ok) {
        if (!taken.fresh) transfer.learn({ isKnown: true });
        return send(response, 200, { was_inserted: taken.fresh });
      }
      transfer.refuse("transfer/digest-mismatch", `This xorb was not taken: ${taken.says}.`);
      refuse(response, 400, `This xorb was not taken: ${taken.says}.`);
    });
  }

  async #takeShard(asked: Asked, inLines: boolean): Promise<void> {
    const { response } = asked;
    const { desk } = this.#options;
    const token = this.#token(asked, "write");
    if (token === undefined) return;
    if (!(await this.#mayWrite(token, response))) return;
    const folder = desk.folderOf(token.repository);
    if (folder === undefined) return refuse(response, 404, `${token.repository} is not there any more.`);
    const transfer = this.#transfer(asked, "upload", token);
    await transfer.during(() => this.#takeShardOf(transfer, asked, { token, folder, inLines }));
  }

  async #takeShardOf(
    transfer: Transfer,
    asked: Asked,
    { token, folder, inLines }: { readonly token: XetToken; readonly folder: string; readonly inLines: boolean },
  ): Promise<void> {
    const { request, response } = asked;
    const { store } = this.#options;
    using place = await this.#place(asked, this.#shards, { account: token.account, transfer });
    if (place === undefined) return;
    transfer.negotiated({ ofBytes: Number(request.headers["content-length"] ?? shardMaxBytes) });
    const body = await readBody(request, shardMaxBytes);
    if (!body.ok)
      return void (body.refusal === "gone" || refuse(response, 413, `A shard may have ${shardMaxBytes} bytes.`));
    transfer.passed(body.bytes.length);
    transfer.verify();
    const shard = await inSteps(readingShard(body.bytes));
    if (typeof shard === "string") {
      transfer.refuse("transfer/digest-mismatch", `This shard was not taken: ${shard}.`);
      return refuse(response, 400, `This shard was not taken: ${shard}.`);
    }
    const { files } = shard;
    const [only] = files.count === 1 ? files : [];
    transfer.learn({ files: files.count, ...(only && { digest: `xet:${only.hash}` }) });
    const lines = inLines ? new Lines(response, this.#options.clock) : undefined;
    const taken = await store.putShard(shard, token, {
      folder,
      ...(lines && { onProgress: (verified: number, total: number) => lines.progress(verified, total) }),
    });
    if (!taken.ok) {
      transfer.refuse(taken.isMissing === true ? "transfer/chunk-missing" : "transfer/digest-mismatch", taken.says);
      // Its status has been sent.
      if (lines?.isBegun === true) return lines.end({ type: "error", message: taken.says, retryable: false });
      return refuse(response, 400, taken.says);
    }
    if (!taken.fresh) transfer.learn({ isKnown: true });
    const result = taken.fresh ? 1 : 0;
    if (lines) return lines.end({ type: "result", result });
    send(response, 200, { result });
  }

  async #givePlan(asked: Asked, file: string, byXorb: boolean): Promise<void> {
    const token = this.#token(asked, "read");
    if (token === undefined) return;
    await this.#inMemory(asked, token.account, () => this.#givePlanTo(token, asked, file, byXorb));
  }

  async #givePlanTo(token: XetToken, asked: Asked, file: string, byXorb: boolean): Promise<void> {
    const { request, response, base } = asked;
    const { store, key, clock } = this.#options;
    const { repository, account } = token;
    const gate = await this.#options.desk.gate(repository, account);
    if (gate) {
      const about = { direction: "download", via: "xet", repository, account: account || null } as const;
      this.#options.transfers.deny(request, response, about, gate);
      response.setHeader("x-error-code", gateHeaders["x-error-code"]);
      // Whoever holds a token of this protocol was known when it was given.
      return refuse(response, 403, gate.says);
    }
    const folder = await this.#readable(repository, account);
    const source = folder === undefined ? undefined : await sourceOf(store, folder, file);
    if (source === undefined) return refuse(response, 404, `${token.repository} has no file ${file}.`);
    const [range] = readRanges(request.headers.range, source.bytes) ?? [{ from: 0, to: source.bytes }];
    if (range === undefined) {
      response.setHeader("content-range", `bytes */${source.bytes}`);
      return refuse(response, 416, "The file is shorter.");
    }
    const ticket = { repository: token.repository, account: token.account, file };
    send(response, 200, await planOf(source, range, { base, key, ticket, now: clock.wall(), byXorb }));
  }

  async #giveChunk(asked: Asked, chunk: string): Promise<void> {
    const { response } = asked;
    const token = this.#token(asked, "write");
    if (token === undefined) return;
    if (!(await this.#mayWrite(token, response))) return;
    await this.#inMemory(asked, token.account, async () => {
      const shard = await this.#options.store.shardOf(chunk, token);
      if (shard === undefined) return refuse(response, 404, "No chunk of that hash was brought by you.");
      response.writeHead(200, {
        ...plainHeaders,
        "content-type": "application/octet-stream",
        "content-length": String(shard.length),
      });
      response.end(shard);
    });
  }

  /** An answer that is put together in memory: so many at once, each until it is with its client, which is to take it. */
  async #inMemory({ request, response }: Asked, account: string, answer: () => Promise<void>): Promise<void> {
    const left = leaving(response);
    using place = await this.#answers.take(
      { account: account === "" ? null : account, address: addressOf(request) },
      left,
    );
    if (left.aborted) return;
    if (place === undefined) return refuse(response, 503, tooMany);
    using _pace = keepPace(request, response, this.#options.clock, { limits: this.#pace });
    await answer();
    if (response.writableFinished || response.destroyed) return;
    await new Promise<void>((done) => response.once("finish", done).once("close", done));
  }

  async #giveXorb(asked: Asked, xorb: string): Promise<void> {
    const { request, response, query } = asked;
    const { store, key, clock } = this.#options;
    const address = readAddress(key, xorb, query, clock.wall());
    const { repository = "", account = "", file = "" } = address ?? {};
    const folder = address === undefined ? undefined : await this.#readable(repository, account);
    const source = folder === undefined ? undefined : await sourceOf(store, folder, file);
    if (source === undefined) {
      this.#options.transfers.refuseStranger(request, response, "transfer/url-expired");
      return refuse(response, 403, "This address is not valid, or not any more: ask for it again.");
    }
    const allowed = await allowedOf(source, xorb);
    const end = allowed.at(-1)?.to ?? 0;
    const ranges = readRanges(request.headers.range, end) ?? allowed;
    if (ranges.length === 0) {
      response.setHeader("content-range", `bytes */${end}`);
      return refuse(response, 416, "The xorb is shorter.");
    }
    const isAllowed = (range: ByteRange): boolean =>
      allowed.some(({ from, to }) => from <= range.from && range.to <= to);
    if (!ranges.every(isAllowed)) return refuse(response, 403, "The file has not these bytes of the xorb.");
    const transfer = this.#transfer(asked, "download", { repository, account });
    await transfer.during(async () => {
      using place = await this.#place(asked, this.#downloads, { account, transfer });
      if (place === undefined) return;
      const parts = partsOf(ranges, end);
      response.writeHead(206, { ...plainHeaders, ...parts.headers, "accept-ranges": "bytes" });
      if (request.method === "HEAD") return void response.end();
      const ofBytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
      transfer.negotiated({ digest: `xet:${file}`, from: ranges[0]?.from ?? 0, ofBytes });
      const bytes = transfer.passing(parts.body((range) => source.open(xorb, range)));
      await sendAll(bytes, response);
    });
  }

  #transfer(
    { request, response }: Asked,
    direction: "upload" | "download",
    { repository, account }: Pick<XetToken, "repository" | "account">,
  ): Transfer {
    return this.#options.transfers.begin(request, response, {
      ...{ direction, via: "xet", repository, account: account === "" ? null : account, pace: this.#pace },
    });
  }

  /** The repository's folder, if the account may read it now: it could when the token was given. */
  async #readable(repository: string, account: string): Promise<string | undefined> {
    const { desk } = this.#options;
    return (await desk.mayRead(repository, account)) ? desk.folderOf(repository) : undefined;
  }

  /** It could when the token was given. */
  async #mayWrite({ repository, account, right }: XetToken, response: ServerResponse): Promise<boolean> {
    const { desk } = this.#options;
    if (await (right === "propose" ? desk.mayPropose(repository, account) : desk.mayWrite(repository, account)))
      return true;
    refuse(response, 403, `${account} may not write to ${repository} any more.`);
    return false;
  }

  #token({ request, response }: Asked, right: "read" | "write"): XetToken | undefined {
    const { key, clock, transfers } = this.#options;
    const given = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const token = readToken(key, given, clock.wall());
    if (token === undefined) {
      transfers.refuseStranger(request, response, "transfer/auth-failed");
      return refuse(response, 401, "This token is not valid, or not any more: ask the Hub's API for another.");
    }
    // Who may write sees what was written.
    if (token.right === right || token.right !== "read") return token;
    return refuse(response, 403, `This token is for reading ${token.repository}.`);
  }

  async #place(
    { request, response }: Asked,
    slots: Slots,
    { account, transfer }: { readonly account: string; readonly transfer: Transfer },
  ): Promise<Disposable | undefined> {
    const caller = { account: account === "" ? null : account, address: addressOf(request) };
    const left = leaving(response);
    const slot = await slots.take(caller, left);
    if (left.aborted) {
      slot?.[Symbol.dispose]();
      return undefined;
    }
    if (slot !== undefined) return slot;
    transfer.refuse("transfer/busy");
    return refuse(response, 503, tooMany);
  }
}

/** An answer in lines of JSON, begun when there is something to wait for. */
class Lines {
  readonly #response: ServerResponse;
  readonly #clock: Pick<Clock, "monotonic">;
  #signed = 0;
  isBegun = false;

  constructor(response: ServerResponse, clock: Pick<Clock, "monotonic">) {
    this.#response = response;
    this.#clock = clock;
  }

  progress(verified: number, total: number): void {
    const now = this.#clock.monotonic();
    if (this.isBegun && now - this.#signed < signEveryMs) return;
    this.#signed = now;
    this.#write({ type: "validating", verified, total });
  }

  end(line: object): void {
    this.#write(line);
    this.#response.end();
  }

  #write(line: object): void {
    if (!this.isBegun) this.#response.writeHead(200, { ...plainHeaders, "content-type": "application/x-ndjson" });
    this.isBegun = true;
    this.#response.write(`${JSON.stringify(line)}\n`);
  }
}

function send(response: ServerResponse, status: number, value: object): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    ...plainHeaders,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(bytes.length),
  });
  response.end(bytes);
}

function refuse(response: ServerResponse, status: number, says: string): undefined {
  response.setHeader("x-error-message", says.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, 500));
  if (status === 503) response.setHeader("retry-after", "5");
  // What it would still send is for nobody.
  if (!response.req.complete) response.setHeader("connection", "close");
  send(response, status, { error: says });
}
