/**
 * Git LFS (git-lfs, docs/api): the batch API with the basic transfer. Who may is asked once, by the batch; the bytes go to signed
 * addresses, and are kept only if their SHA-256 is the one that was announced. There are no locks.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { holderOf, type LargeFiles as Rows } from "../catalog/large-files.ts";
import { codeRow } from "../evidence/codes.ts";
import { readBody } from "../http/index.ts";
import { visitorOf } from "../http/visitor.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import {
  addressOf,
  askedBy,
  leaving,
  mayAccess,
  mayPropose,
  parseGitPath,
  plainHeaders,
  type GitPath,
} from "./git-access.ts";
import type { GitDesk } from "./git-face.ts";
import { isDiskFull } from "./errors.ts";
import { gateHeaders } from "./gate.ts";
import { parseBatch, parseJson, parsePointerOf } from "./lfs-batch.ts";
import { readTicket, signTicket, ticketSeconds, type LfsTicket } from "./lfs-address.ts";
import { isLfsOid, type LfsPointer } from "./lfs-pointer.ts";
import type { LargeFiles } from "./large-files.ts";
import { LfsParts, partBytes, partsOf } from "./lfs-parts.ts";
import {
  findLarge,
  findObject,
  findOwn,
  makeProposalFolder,
  proposalFolder,
  type LfsStore,
  type Refusal,
  type Stored,
} from "./lfs-store.ts";
import { paceLimits, type PaceLimits } from "./pace.ts";
import { keyOf, pathOf, repoNouns } from "./repo-name.ts";
import { parseRange } from "./ranges.ts";
import type { RepositoryStore } from "./repository.ts";
import { casPath } from "./xet/face.ts";
import type { XetService } from "./xet/service.ts";
import { signToken } from "./xet/tickets.ts";
import { receiveAll } from "./receive.ts";
import { sendAll } from "./send.ts";
import { Slots, type Caller, type SlotLimits } from "./slots.ts";
import type { Storage } from "./storage.ts";
import type { Transfer, Transfers } from "./transfers.ts";

export interface LfsFaceLimits {
  /** Files that are read at once; as many may be written. */
  readonly places: SlotLimits;
  readonly pace: PaceLimits;
}

export interface LfsFaceOptions {
  readonly repositories: RepositoryStore;
  readonly store: LfsStore;
  readonly large: LargeFiles;
  readonly storage: Storage;
  readonly proposers: Pick<Rows, "addProposer">;
  readonly transfers: Transfers;
  readonly xet: Pick<XetService, "key" | "instance">;
  readonly desk: LfsDesk;
  /** Signs the addresses. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly limits?: Partial<LfsFaceLimits>;
}

type LfsDesk = Pick<
  GitDesk,
  | "callerOf"
  | "named"
  | "standing"
  | "gate"
  | "storedAs"
  | "mayRead"
  | "mayWrite"
  | "mayPropose"
  | "ensure"
  | "onFailure"
>;

/** A batch of a thousand files has some 100 KiB. */
const bodyMaxBytes = 1 << 20;
/** A file of a gigabyte comes in that time over a line of 300 Mbit/s; git-lfs tries eight times. */
const againSeconds = 30;
/** git-lfs moves 8 files at a time. */
const lfsFaceLimits: LfsFaceLimits = {
  places: { atOnce: 32, perCaller: 16, anonymous: 24, withinMs: 60_000 },
  pace: paceLimits,
};
/** To one who sends parts and may not write any more. */
const comesWhole = "A file of a pull request comes whole: ask for its address again.";
const lfsType = "application/vnd.git-lfs+json";

interface LfsRequest {
  readonly path: GitPath;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Where someone asks for files. */
interface Place {
  readonly path: GitPath;
  /** The repository's folder. */
  readonly repository: string;
  /** The account, or a node; empty: one without a token. */
  readonly by: string;
  /** Where what it brings lies, and of whom that counts: for a pull request apart from the repository's own. */
  readonly room: Room;
  readonly origin: string;
}

interface Room {
  readonly owner: string;
  readonly folder: string;
  /** Whether it is for pull requests alone. */
  readonly proposes: boolean;
}

export class LfsFace {
  readonly #options: LfsFaceOptions;
  readonly #pace: PaceLimits;
  readonly #parts: LfsParts;
  readonly #uploads: Slots;
  readonly #downloads: Slots;

  constructor(options: LfsFaceOptions) {
    this.#options = options;
    const { places, pace } = { ...lfsFaceLimits, ...options.limits };
    this.#pace = pace;
    this.#parts = new LfsParts(options);
    this.#uploads = new Slots(places);
    this.#downloads = new Slots(places);
  }

  /** Whether the request is git-lfs'; then it is answered, and never fails. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const path = parseGitPath(request.url ?? "");
    if (path === undefined || !path.rest.startsWith("info/lfs/")) return false;
    const id = newId("q", this.#options.random);
    response.setHeader("x-waybill-id", id);
    this.#answer({ path, request, response }).catch((error: unknown) => {
      if (response.destroyed) return; // Nobody is left to be told.
      this.#options.desk.onFailure(`git-lfs at ${path.id} (${id})`, error);
      if (response.headersSent) response.destroy();
      else if (isDiskFull(error)) refuse(response, 507, codeRow("transfer/disk-full").says);
      else refuse(response, 500, `The platform could not do this; its log has the reason under ${id}.`);
    });
    return true;
  }

  #answer(asked: LfsRequest): Promise<void> {
    const { path, request, response } = asked;
    const rest = path.rest.slice("info/lfs/".length);
    if (rest === "objects/batch" && request.method === "POST") return this.#batch(asked);
    if (rest === "objects/verify" && request.method === "POST") return this.#verify(asked);
    const oid = /^objects\/([0-9a-f]{64})$/.exec(rest)?.[1];
    if (oid !== undefined) return this.#move(asked, oid);
    const part = /^objects\/([0-9a-f]{64})\/parts(?:\/(\d{1,5}))?$/.exec(rest);
    if (part !== null) return this.#takePart(asked, part[1] ?? "", part[2] === undefined ? undefined : Number(part[2]));
    // Locks among them: git-lfs takes 404 for "none here", and goes on.
    refuse(response, 404, "There is nothing at this address.");
    return Promise.resolve();
  }

  async #batch({ path, request, response }: LfsRequest): Promise<void> {
    const batch = await this.#body(request, response, parseBatch);
    if (batch === undefined) return;
    const place = await this.#place(path, request, response, batch.operation === "upload");
    if (place === undefined) return;
    const byXet = batch.operation === "upload" && batch.transfers.includes("xet") && place.by !== "";
    // Smaller files of the batch come whole: clients tell by whether parts are named.
    const inParts = batch.transfers.includes("multipart") && batch.objects.some(({ size }) => size > partBytes);
    // Parts wait in the repository's own room: a file of a pull request comes whole.
    const isParted = batch.operation === "upload" && inParts && !place.room.proposes;
    const way = byXet ? "xet" : isParted ? "multipart" : "basic";
    const answer = (pointer: LfsPointer): Promise<object> =>
      batch.operation === "upload" ? this.#uploadOf(place, pointer, way) : this.#downloadOf(place, pointer);
    const objects = await Promise.all(batch.objects.map(answer));
    send(response, 200, { transfer: way, objects, hash_algo: "sha256" });
  }

  async #uploadOf(place: Place, pointer: LfsPointer, way: Way): Promise<object> {
    const { path, repository, by, room, origin } = place;
    if (!isLfsOid(pointer.oid)) return failed(pointer, 422, "its oid is no SHA-256");
    // No `actions`: it is here. Who may write brings what only a pull request has: it is the repository's own then.
    const there = await (room.proposes ? findLarge : findOwn)(repository, pointer.oid);
    if (there?.size === pointer.size) return pointer;
    const full = await this.#options.storage.refuse(room.owner, pointer.size);
    if (full) return failed(pointer, full.status, full.says);
    if (way === "xet") return { ...pointer, actions: { upload: this.#xetOf(place) } };
    if (room.proposes) await this.#makeRoom(path, repository, by);
    const refused = await this.#options.store.refuse(room.folder, pointer.size);
    if (refused) return failed(pointer, refused.refusal === "disk-full" ? 507 : 413, refused.says);
    const upload = this.#address(path, { ...pointer, operation: "upload", repository: keyOf(path), by }, origin);
    const verify = { href: `${origin}${pathOf(path)}.git/info/lfs/objects/verify` };
    const isWhole = way === "basic" || pointer.size <= partBytes;
    return { ...pointer, actions: { upload: isWhole ? upload : inPartsOf(upload, pointer), verify } };
  }

  /** Where the Hub's own JavaScript client sends by Xet: with the token that it would ask for. */
  #xetOf({ path, by, room, origin }: Place): object {
    const { key, instance } = this.#options.xet;
    const token = {
      right: room.proposes ? "propose" : "write",
      repository: holderOf(path),
      owner: room.owner,
      account: by,
      whole: false,
    } as const;
    const given = signToken(key, token, this.#options.clock.wall());
    return {
      href: `${origin}/api/${path.kind}/${path.id}/xet-write-token/main${room.proposes ? "?create_pr=1" : ""}`,
      header: {
        "X-Xet-Cas-Url": `${origin}${casPath(instance, by)}`,
        "X-Xet-Access-Token": given.token,
        "X-Xet-Token-Expiration": String(given.expires),
        "X-Xet-Session-Id": newId("x", this.#options.random),
      },
    };
  }

  async #downloadOf({ path, repository, by, origin }: Place, pointer: LfsPointer): Promise<object> {
    const object = await findObject(repository, pointer);
    // Who reads it may come again, by Xet: by then its hash is known.
    await (object && this.#options.large.xetHashOf(object));
    if (object === undefined) return failed(pointer, 404, `${path.id} has no such file`);
    const download = this.#address(path, { ...pointer, operation: "download", repository: keyOf(path), by }, origin);
    return { ...pointer, actions: { download } };
  }

  #address(path: GitPath, ticket: LfsTicket, origin: string): Address {
    const query = signTicket(this.#options.key, ticket, this.#options.clock.wall());
    return {
      href: `${origin}${pathOf(path)}.git/info/lfs/objects/${ticket.oid}?${query}`,
      expires_in: ticketSeconds,
    };
  }

  async #verify({ path, request, response }: LfsRequest): Promise<void> {
    const pointer = await this.#body(request, response, parsePointerOf);
    if (pointer === undefined) return;
    const place = await this.#place(path, request, response, true);
    if (place === undefined) return;
    if ((await findObject(place.repository, pointer)) === undefined)
      return refuse(response, 404, `${pointer.oid} with ${pointer.size} bytes is not here: send it again.`);
    send(response, 200, {});
  }

  async #move(asked: LfsRequest, oid: string): Promise<void> {
    const { path, request, response } = asked;
    const ticket = await this.#ticketOf(asked, oid);
    if (ticket === undefined) return;
    const method = ticket.operation === "upload" ? ["PUT"] : ["GET", "HEAD"];
    if (!method.includes(request.method ?? "")) return refuse(response, 405, `Ask with ${method[0]}.`);
    const caller = this.#callerOf(ticket, request);
    const transfer = this.#begin(asked, ticket, caller);
    await transfer.during(async () => {
      const left = leaving(response);
      using slot = await (ticket.operation === "upload" ? this.#uploads : this.#downloads).take(caller, left);
      if (left.aborted) return;
      if (!slot) return this.#refuseBusy(transfer, response);
      const repository = this.#folderOf(path, response);
      if (repository === undefined) return;
      const move: Move = { repository, ticket, request, response };
      // Awaited here: until it is through it has its place.
      if (ticket.operation === "download") return await this.#give(transfer, move);
      const { owner, folder, proposes } = await this.#roomOf(path, repository, ticket.by);
      using room = await this.#admit(transfer, owner, ticket.size, response);
      if (room === undefined) return;
      if (proposes) await this.#makeRoom(path, repository, ticket.by);
      await this.#take(transfer, { ...move, repository: folder });
    });
  }

  /** What the address was signed for, if whoever it was signed for may still do that; undefined where the answer was given. */
  async #ticketOf({ path, request, response }: LfsRequest, oid: string): Promise<LfsTicket | undefined> {
    const { key, clock, transfers, desk } = this.#options;
    const ticket = readTicket(key, { repository: keyOf(path), oid, query: path.query }, clock.wall());
    const isWrite = ticket?.operation === "upload";
    const may = ticket && (isWrite ? this.#mayBring(path, ticket.by) : desk.mayRead(path, ticket.by));
    if (ticket !== undefined && (await may) === true) return ticket;
    transfers.refuseStranger(request, response, "transfer/url-expired");
    return refuse(response, 403, "This address is not valid, or not any more: ask for it again.");
  }

  async #mayBring(path: GitPath, by: string): Promise<boolean> {
    const { desk } = this.#options;
    return (await desk.mayWrite(path, by)) || desk.mayPropose(path, by);
  }

  /** Of whom it counts what the account brings now, and where it lies. */
  async #roomOf(path: GitPath, repository: string, by: string): Promise<Room> {
    return roomFor({ path, repository, by }, !(await this.#options.desk.mayWrite(path, by)));
  }

  async #makeRoom(path: GitPath, repository: string, by: string): Promise<void> {
    const stored = this.#options.desk.storedAs(path);
    // Before a byte of it: so none is forgotten when the account's are counted.
    if (stored !== undefined) await this.#options.proposers.addProposer(by, stored);
    await makeProposalFolder(repository, by);
  }

  #callerOf({ by }: LfsTicket, request: IncomingMessage): Caller {
    return { account: by === "" ? null : by, address: addressOf(request) };
  }

  #begin({ path, request, response }: LfsRequest, { operation }: LfsTicket, { account }: Caller): Transfer {
    return this.#options.transfers.begin(request, response, {
      ...{ direction: operation, via: "git-lfs", repository: `${path.kind}/${path.id}`, account, pace: this.#pace },
    });
  }

  #refuseBusy(transfer: Transfer, response: ServerResponse): void {
    transfer.refuse("transfer/busy");
    refuse(response, 503, "Too many other files are moved at this moment: try again.");
  }

  /** The repository's folder; undefined where it is gone, and the answer was given. */
  #folderOf(path: GitPath, response: ServerResponse): string | undefined {
    const { desk, repositories } = this.#options;
    const stored = desk.storedAs(path);
    if (stored !== undefined) return repositories.repositoryOf(stored);
    return refuse(response, 404, `${path.id} is not there any more.`);
  }

  /** Undefined where there is no room, and the answer was given. */
  async #admit(
    transfer: Transfer,
    owner: string,
    bytes: number,
    response: ServerResponse,
  ): Promise<Disposable | undefined> {
    const room = await this.#options.storage.admit(owner, bytes);
    if (room.ok) return room;
    transfer.refuse(room.status === 507 ? "transfer/disk-full" : "transfer/tier-limit", room.says);
    return refuse(response, room.status, room.says);
  }

  async #take(transfer: Transfer, { repository, ticket, request, response }: Move): Promise<void> {
    transfer.negotiated({ digest: `sha256:${ticket.oid}`, ofBytes: ticket.size });
    const bytes = transfer.passing(receiveAll(request));
    this.#answerStored(transfer, await this.#options.store.put(repository, ticket, bytes, ticket.by), response);
  }

  #answerStored(transfer: Transfer, stored: Stored, response: ServerResponse): void {
    if (stored.ok) return send(response, 200, {});
    transfer.refuse(refusalCodes[stored.refusal], `This file was not taken: ${stored.says}.`);
    // git-lfs tries again after a 429, when it is told to.
    if (stored.refusal === "too-much-at-once") response.setHeader("retry-after", String(againSeconds));
    refuse(response, codeRow(refusalCodes[stored.refusal]).status, `This file was not taken: ${stored.says}.`);
  }

  /** A part of a file, or with no number the word that all have been sent. */
  async #takePart(asked: LfsRequest, oid: string, number: number | undefined): Promise<void> {
    const { path, request, response } = asked;
    const ticket = await this.#ticketOf(asked, oid);
    if (ticket === undefined) return;
    const method = number === undefined ? "POST" : "PUT";
    if (ticket.operation !== "upload" || request.method !== method) return refuse(response, 405, `Ask with ${method}.`);
    const caller = this.#callerOf(ticket, request);
    const transfer = this.#begin(asked, ticket, caller);
    await transfer.during(async () => {
      const left = leaving(response);
      using slot = await this.#uploads.take(caller, left);
      if (left.aborted) return;
      if (!slot) return this.#refuseBusy(transfer, response);
      const repository = this.#folderOf(path, response);
      if (repository === undefined) return;
      const ofBytes = number === undefined ? ticket.size : Math.min(partBytes, ticket.size);
      if (!(await this.#options.desk.mayWrite(path, ticket.by))) {
        transfer.refuse("transfer/url-expired", comesWhole);
        return refuse(response, 403, comesWhole);
      }
      // Parts that have come count among what the account keeps: put together they are no more.
      using room = await this.#admit(transfer, path.owner, number === undefined ? 0 : ofBytes, response);
      if (room === undefined) return;
      if (number === undefined) {
        transfer.negotiated({ digest: `sha256:${oid}`, ofBytes });
        // What it lists is known here: the parts that have come.
        if ((await this.#body(request, response, () => true)) === undefined) return;
        transfer.verify();
        const stored = await this.#parts.join(repository, ticket, ticket.by);
        if (stored.ok) transfer.passed(ofBytes);
        return this.#answerStored(transfer, stored, response);
      }
      transfer.negotiated({ digest: `sha256:${oid}`, from: (number - 1) * partBytes, ofBytes });
      const bytes = transfer.passing(receiveAll(request));
      const taken = await this.#parts.put(repository, ticket, number, bytes);
      if (!taken.ok) {
        transfer.refuse(partCodes[taken.status], `This part was not taken: ${taken.says}.`);
        return refuse(response, taken.status, `This part was not taken: ${taken.says}.`);
      }
      response.setHeader("etag", taken.etag);
      send(response, 200, {});
    });
  }

  async #give(transfer: Transfer, { repository, ticket, request, response }: Move): Promise<void> {
    const object = await findObject(repository, ticket);
    if (object === undefined) {
      transfer.refuse("transfer/content-missing");
      return refuse(response, 404, "This file is not here any more.");
    }
    const range = parseRange(request.headers.range, ticket.size);
    if (range === "beyond") {
      transfer.refuse("transfer/range-mismatch");
      response.setHeader("content-range", `bytes */${ticket.size}`);
      return refuse(response, 416, "The file is shorter.");
    }
    const [from, to] = range ?? [0, ticket.size - 1];
    response.writeHead(range ? 206 : 200, {
      ...plainHeaders,
      // A stranger's file on the console's own origin: never shown, only stored.
      "content-type": "application/octet-stream",
      "content-disposition": "attachment",
      "content-security-policy": "sandbox; default-src 'none'",
      "accept-ranges": "bytes",
      etag: `"${ticket.oid}"`,
      "content-length": String(to - from + 1),
      ...(range ? { "content-range": `bytes ${from}-${to}/${ticket.size}` } : {}),
    });
    if (request.method === "HEAD" || ticket.size === 0) return void response.end();
    transfer.negotiated({ digest: `sha256:${ticket.oid}`, from, ofBytes: to - from + 1 });
    transfer.learn({ storedBy: object.by });
    const bytes = transfer.passing(this.#options.large.open(object, { from, to: to + 1 }));
    await sendAll(bytes, response);
  }

  /** The repository and who asks, made where it is to be written; undefined where the answer was given. */
  async #place(
    wanted: GitPath,
    request: IncomingMessage,
    response: ServerResponse,
    write: boolean,
  ): Promise<Place | undefined> {
    const { desk, repositories, transfers } = this.#options;
    const asked = await desk.callerOf(request.headers.authorization);
    const path = { ...wanted, ...desk.named(wanted, asked) };
    const standing = desk.standing(path);
    const refused = mayAccess(path, write, asked, standing);
    const proposes = write && refused !== undefined && mayPropose(path, asked, standing);
    if (refused && !proposes) return refuse(response, refused.status, refused.says);
    const by = askedBy(asked) ?? "";
    const gate = write && !proposes ? undefined : await desk.gate(path, asked);
    if (gate) {
      const about = { direction: "download", via: "git-lfs", repository: `${path.kind}/${path.id}` } as const;
      transfers.deny(request, response, { ...about, account: askedBy(asked) }, gate);
      response.setHeader("x-error-code", gateHeaders["x-error-code"]);
      return refuse(response, gate.status, gate.says);
    }
    if (write && !proposes) {
      const made = await desk.ensure(path, by);
      if (!made.ok) return refuse(response, 403, made.says);
    }
    const stored = desk.storedAs(path);
    if (write && !proposes && stored !== undefined) await repositories.createRepository(stored);
    if (stored === undefined || !(await repositories.exists(stored)))
      return refuse(response, 404, `There is no ${repoNouns[path.kind]} ${path.id} with files.`);
    const repository = repositories.repositoryOf(stored);
    const at = { path, repository, by };
    return { ...at, room: roomFor(at, proposes), origin: visitorOf(request).origin };
  }

  async #body<Value>(
    request: IncomingMessage,
    response: ServerResponse,
    parse: (value: unknown) => Value | string,
  ): Promise<Value | undefined> {
    const body = await readBody(request, bodyMaxBytes);
    if (!body.ok)
      return void (body.refusal === "gone" || refuse(response, 413, `The body may have ${bodyMaxBytes} bytes.`));
    const parsed = parse(parseJson(body.bytes));
    if (typeof parsed !== "string") return parsed;
    return refuse(response, 422, parsed);
  }
}

function roomFor({ path, repository, by }: Pick<Place, "path" | "repository" | "by">, proposes: boolean): Room {
  const [owner, folder] = proposes ? [by, proposalFolder(repository, by)] : [path.owner, repository];
  return { owner, folder, proposes };
}

/** How files are to be sent. */
type Way = "basic" | "multipart" | "xet";

interface Address {
  readonly href: string;
  readonly expires_in: number;
}

/** The addresses of all parts by their numbers, and in the place of the file's own the one at which to say that they were sent. */
function inPartsOf({ href, expires_in }: Address, pointer: LfsPointer): object {
  const [address = "", query = ""] = href.split("?");
  const header: Record<string, string> = { chunk_size: String(partBytes) };
  for (let n = 1; n <= partsOf(pointer); n++) header[String(n)] = `${address}/parts/${n}?${query}`;
  return { href: `${address}/parts?${query}`, expires_in, header };
}

function failed(pointer: LfsPointer, code: number, message: string): object {
  return { ...pointer, error: { code, message } };
}

/** One file on its way. */
interface Move {
  /** The repository's folder. */
  readonly repository: string;
  readonly ticket: LfsTicket;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const partCodes = {
  413: "transfer/tier-limit",
  422: "transfer/digest-mismatch",
  507: "transfer/disk-full",
} as const;

const refusalCodes = {
  "wrong-content": "transfer/digest-mismatch",
  "too-large": "transfer/tier-limit",
  "no-room": "transfer/tier-limit",
  "disk-full": "transfer/disk-full",
  "too-much-at-once": "transfer/too-much-at-once",
} as const satisfies Readonly<Record<Refusal["refusal"], `transfer/${string}`>>;

function send(response: ServerResponse, status: number, value: object): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { ...plainHeaders, "content-type": lfsType, "content-length": String(bytes.length) });
  response.end(bytes);
}

function refuse(response: ServerResponse, status: number, message: string): undefined {
  if (status === 401) {
    response.setHeader("lfs-authenticate", 'Basic realm="waybill"');
    response.setHeader("www-authenticate", 'Basic realm="waybill"');
  }
  send(response, status, { message });
}
