/**
 * Files by their addresses, as the Hub's clients fetch them: `/OWNER/NAME/resolve/REVISION/PATH` (of datasets and Spaces below `/datasets`
 * and `/spaces`) gives the file, `/raw/` what git has of it, which is the pointer of a large one. Streamed, in ranges, never compressed.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { visitorOf } from "../http/visitor.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import { addressOf, askedBy, leaving, mayAccess, plainHeaders } from "./git-access.ts";
import type { GitDesk } from "./git-face.ts";
import type { LargeFiles } from "./large-files.ts";
import { findObject, type LargeObject } from "./lfs-store.ts";
import { paceLimits, type PaceLimits } from "./pace.ts";
import { pathProblem } from "./paths.ts";
import { parseRange } from "./ranges.ts";
import { isOwner, repoName, repoNouns, type RepoKind, type RepoName } from "./repo-name.ts";
import { namesMain, type RepoReader } from "./repo-reader.ts";
import { isRepositoryName, type RepositoryStore } from "./repository.ts";
import { sendAll } from "./send.ts";
import { Slots, type SlotLimits } from "./slots.ts";
import { casPath } from "./xet/face.ts";
import type { Transfer, Transfers } from "./transfers.ts";
import type { TreeItem } from "./tree-index.ts";

export interface ResolveFaceLimits {
  /** Files that are read at once. */
  readonly places: SlotLimits;
  readonly pace: PaceLimits;
}

export interface ResolveFaceOptions {
  readonly repositories: RepositoryStore;
  readonly reader: RepoReader;
  readonly large: Pick<LargeFiles, "open" | "xetHashOf">;
  readonly transfers: Transfers;
  /** Of the store of xorbs, as its addresses have it. */
  readonly instance: string;
  readonly desk: Pick<GitDesk, "callerOf" | "named" | "standing" | "gate" | "storedAs" | "onFailure">;
  readonly random: RandomBytes;
  readonly limits?: Partial<ResolveFaceLimits>;
}

/** `snapshot_download` fetches 8 files at a time, and a person may have more than one of them. */
const resolveFaceLimits: ResolveFaceLimits = {
  places: { atOnce: 64, perCaller: 32, anonymous: 48, withinMs: 60_000 },
  pace: paceLimits,
};
/** A smaller file is read whole. */
const smallMaxBytes = 256 << 10;

/** What an address names. */
interface FileAddress {
  readonly repo: RepoName;
  readonly raw: boolean;
  readonly revision: string;
  readonly path: string;
}

/** A no that the Hub's clients understand (their `X-Error-Code`). */
interface Refusal {
  readonly status: number;
  readonly code?: "RepoNotFound" | "RevisionNotFound" | "EntryNotFound" | "GatedRepo";
  readonly says: string;
  /** The commit in which the file is not. */
  readonly commit?: string;
  /** The file is there, and its content is not. */
  readonly isContentMissing?: boolean;
}

/** The file that is to be sent. */
interface Found {
  readonly address: FileAddress;
  readonly repository: string;
  readonly commit: string;
  readonly item: TreeItem;
  /** What the repository has of a large file, and its hash of Xet where that is known. */
  readonly large: LargeObject | undefined;
  readonly xetHash: string | undefined;
  readonly size: number;
  readonly etag: string;
}

const addressPattern = /^(?:\/(spaces|datasets))?\/([^/]+)\/([^/]+)\/(resolve|raw)\/([^/]+)\/([^?]+)/;

/** Undefined where the address is none of a file; `bad-encoding`: no text that percent signs stand for. */
export function parseFileAddress(url: string): FileAddress | "bad-encoding" | undefined {
  const match = addressPattern.exec(url);
  if (match === null) return undefined;
  const [, kind = "models", owner = "", name = "", how, revision = "", path = ""] = match;
  const repo = repoName(kind as RepoKind, owner, name);
  if (!isOwner(owner) || !isRepositoryName(repo.id)) return undefined;
  try {
    return { repo, raw: how === "raw", revision: decodeURIComponent(revision), path: decodeURIComponent(path) };
  } catch {
    return "bad-encoding"; // The answer says so.
  }
}

export class ResolveFace {
  readonly #options: ResolveFaceOptions;
  readonly #limits: ResolveFaceLimits;
  readonly #places: Slots;

  constructor(options: ResolveFaceOptions) {
    this.#options = options;
    this.#limits = { ...resolveFaceLimits, ...options.limits };
    this.#places = new Slots(this.#limits.places);
  }

  /** Whether the request is for a file; then it is answered, and never fails. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const { method } = request;
    const address = method === "GET" || method === "HEAD" ? parseFileAddress(request.url ?? "") : undefined;
    if (address === undefined) return false;
    const id = newId("q", this.#options.random);
    response.setHeader("x-waybill-id", id);
    response.setHeader("x-request-id", requestIdOf(request) ?? id);
    if (address === "bad-encoding") {
      refuse(response, { status: 400, says: "The address has a percent sign that stands for no text." });
      return true;
    }
    this.#answer(address, request, response).catch((error: unknown) => {
      if (response.destroyed) return; // Nobody is left to be told.
      this.#options.desk.onFailure(`a file of ${address.repo.id} (${id})`, error);
      if (response.headersSent) response.destroy();
      else
        refuse(response, { status: 500, says: `The platform could not do this; its log has the reason under ${id}.` });
    });
    return true;
  }

  async #answer(wanted: FileAddress, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { desk, transfers } = this.#options;
    const asked = await desk.callerOf(request.headers.authorization);
    if ("refused" in asked) return refuse(response, { status: 401, says: badToken });
    const address = { ...wanted, repo: desk.named(wanted.repo, asked) };
    const no = mayAccess(address.repo, false, asked, desk.standing(address.repo));
    if (no) return refuse(response, noRepo(address.repo));
    const account = askedBy(asked);
    const { kind, id } = address.repo;
    const about = { direction: "download", via: "http", repository: `${kind}/${id}`, account } as const;
    const gate = await desk.gate(address.repo, asked);
    if (gate) {
      transfers.deny(request, response, about, gate);
      return refuse(response, { ...gate, code: "GatedRepo" });
    }
    const left = leaving(response);
    const transfer = transfers.begin(request, response, { ...about, pace: this.#limits.pace });
    await transfer.during(async () => {
      using slot = await this.#places.take({ account, address: addressOf(request) }, left);
      if (left.aborted) return;
      if (!slot) {
        transfer.refuse("transfer/busy");
        return refuse(response, { status: 503, says: "Too many other files are read at this moment: try again." });
      }
      const found = await this.#find(address);
      if (!("status" in found)) return await this.#send(transfer, found, { request, response, by: account ?? "" });
      if (found.isContentMissing === true) transfer.refuse("transfer/content-missing", found.says);
      refuse(response, found);
    });
  }

  async #find(address: FileAddress): Promise<Found | Refusal> {
    const { repositories, reader, desk } = this.#options;
    const { repo, path } = address;
    const stored = desk.storedAs(repo);
    if (stored === undefined) return noRepo(repo);
    const repository = repositories.repositoryOf(stored);
    const revision = (await repositories.exists(stored))
      ? await reader.revision(repository, address.revision)
      : namesMain(address.revision);
    if (revision === undefined)
      return { status: 404, code: "RevisionNotFound", says: `${repo.id} has no revision ${address.revision}.` };
    const commit = revision === "empty" ? undefined : revision.commit;
    const noEntry: Refusal = {
      ...{ status: 404, code: "EntryNotFound", says: `${repo.id} has no file ${path} at ${address.revision}.` },
      ...(commit !== undefined && { commit }),
    };
    const wrong = pathProblem(path);
    if (wrong !== undefined) return { ...noEntry, says: `There is no file of that path: ${wrong}.` };
    const item = (await (await reader.tree(repository, revision)).find([path])).get(path);
    if (item?.type !== "file" || commit === undefined) return noEntry;
    if (item.lfs === undefined || address.raw)
      return {
        address,
        repository,
        commit,
        item,
        large: undefined,
        xetHash: undefined,
        size: item.size,
        etag: item.oid,
      };
    const { oid, size } = item.lfs;
    const large = await findObject(repository, item.lfs);
    if (large === undefined)
      return {
        ...noEntry,
        says: `${path} of ${repo.id} is a large file whose content is not here.`,
        isContentMissing: true,
      };
    const xetHash = await this.#options.large.xetHashOf(large);
    return { address, repository, commit, item, large, xetHash, size, etag: oid };
  }

  async #send(transfer: Transfer, found: Found, { request, response, by }: Reader): Promise<void> {
    const { size, commit, etag, address, large, xetHash } = found;
    const head = {
      ...plainHeaders,
      "cache-control": "private, no-cache",
      // A stranger's file on the console's own origin: never shown, only stored.
      "content-type": "application/octet-stream",
      "content-disposition": dispositionOf(address.path),
      "content-security-policy": "sandbox; default-src 'none'",
      "accept-ranges": "bytes",
      "x-repo-commit": commit,
      etag: `"${etag}"`,
      ...(large !== undefined && {
        "x-linked-etag": `"${etag}"`,
        "x-linked-size": String(size),
      }),
      ...(xetHash !== undefined && this.#xetFields(xetHash, found, { request, by })),
    };
    // The Hub's JavaScript client asks so where the file is, to fetch it by Xet.
    if (xetHash !== undefined && request.headers.accept?.includes(xetInfoType) === true)
      return void response.writeHead(200, { ...head, "content-type": xetInfoType, "content-length": "2" }).end("{}");
    const { path } = address;
    const digest = `${large === undefined ? "git" : "sha256"}:${etag}`;
    if (request.headers["if-none-match"] === head.etag) {
      transfer.negotiated({ path, digest, ofBytes: 0 });
      transfer.learn({ isCached: true });
      return void response.writeHead(304, head).end();
    }
    const isSame = (request.headers["if-range"] ?? head.etag) === head.etag;
    const range = isSame ? parseRange(request.headers.range, size) : undefined;
    if (range === "beyond") {
      transfer.refuse("transfer/range-mismatch");
      return refuse(
        response,
        { status: 416, says: "The file is shorter.", commit },
        { "content-range": `bytes */${size}` },
      );
    }
    const [from, to] = range ?? [0, size - 1];
    response.writeHead(range ? 206 : 200, {
      ...head,
      "content-length": String(to - from + 1),
      ...(range && { "content-range": `bytes ${from}-${to}/${size}` }),
    });
    if (request.method === "HEAD" || size === 0) return void response.end();
    transfer.negotiated({ path, digest, from, ofBytes: to - from + 1, ...(xetHash && { isXetOffered: true }) });
    transfer.learn({ storedBy: large?.by ?? "git" });
    if (large === undefined) return this.#sendBlob(transfer, found, { from, to }, response);
    const bytes = transfer.passing(this.#options.large.open(large, { from, to: to + 1 }));
    await sendAll(bytes, response);
  }

  /** Where to get it by Xet, for clients that know how. */
  #xetFields(
    hash: string,
    { address: { repo }, commit }: Found,
    { request, by }: Pick<Reader, "request" | "by">,
  ): Record<string, string> {
    const { origin } = visitorOf(request);
    const token = `${origin}/api/${repo.kind}/${repo.id}/xet-read-token/${commit}`;
    const plan = `${origin}${casPath(this.#options.instance, by)}/v1/reconstructions/${hash}`;
    return { "x-xet-hash": hash, link: `<${token}>; rel="xet-auth", <${plan}>; rel="xet-reconstruction-info"` };
  }

  async #sendBlob(
    transfer: Transfer,
    { repository, item, size }: Found,
    { from, to }: { readonly from: number; readonly to: number },
    response: ServerResponse,
  ): Promise<void> {
    const { reader } = this.#options;
    if (size <= smallMaxBytes) {
      const bytes = (await reader.smallBlob(repository, item.oid)).subarray(from, to + 1);
      transfer.passed(bytes.length);
      return void response.end(bytes);
    }
    const stream = reader.stream(repository, item.oid);
    try {
      await sendAll(transfer.passing(part(stream, from, to)), response);
    } finally {
      stream.destroy();
    }
  }
}

/** Whom it is sent to. */
interface Reader {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The account; empty: one without a token. */
  readonly by: string;
}

const xetInfoType = "application/vnd.xet-fileinfo+json";

/** What huggingface_hub tells from a repository that is missing. */
const badToken = "Invalid credentials in Authorization header";

function noRepo({ kind, id }: RepoName): Refusal {
  return { status: 404, code: "RepoNotFound", says: `There is no ${repoNouns[kind]} ${id}.` };
}

async function* part(stream: Readable, from: number, to: number): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    const begin = Math.max(0, from - at);
    const end = Math.min(piece.length, to + 1 - at);
    at += piece.length;
    if (begin < end) yield piece.subarray(begin, end);
    if (at > to) return;
  }
  throw new Error(`git gave ${at} bytes of a file that has more than ${to}`);
}

/** RFC 6266, with the name as RFC 8187 writes it. */
function dispositionOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\]/g, "_");
  return `attachment; filename*=UTF-8''${encoded}; filename="${plain}"`;
}

/** The caller's own name for its request, if it is one line of sense. */
function requestIdOf({ headers }: IncomingMessage): string | undefined {
  const said = [headers["x-request-id"], headers["x-amzn-trace-id"]];
  return said.find((id): id is string => typeof id === "string" && /^[\x21-\x7e]{1,200}$/.test(id));
}

function refuse(
  response: ServerResponse,
  { status, code, says, commit }: Refusal,
  more: Record<string, string> = {},
): void {
  const bytes = Buffer.from(JSON.stringify({ error: says }));
  response.writeHead(status, {
    ...plainHeaders,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(bytes.length),
    "x-error-message": says.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, 500),
    ...(code && { "x-error-code": code }),
    ...(commit !== undefined && { "x-repo-commit": commit }),
    ...(status === 401 && { "www-authenticate": 'Bearer realm="waybill"' }),
    ...(status === 503 && { "retry-after": "5" }),
    ...more,
  });
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}
