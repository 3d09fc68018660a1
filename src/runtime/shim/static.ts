/** Serves a static Space's files from one folder: what lies outside it, by `..` or by symlink, does not exist. */
import { constants, createReadStream, promises } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { duplexPair, type Duplex } from "node:stream";
import { createServer } from "../../http/node-http.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".htm": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".xml": "application/xml",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".ico": "image/x-icon",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".ttf": "font/ttf",
  ".otf": "font/otf",
  ".wasm": "application/wasm",
  ".mp3": "audio/mpeg",
  ".wav": "audio/wav",
  ".ogg": "audio/ogg",
  ".mp4": "video/mp4",
  ".webm": "video/webm",
  ".pdf": "application/pdf",
  ".zip": "application/zip",
  ".gz": "application/gzip",
  ".webmanifest": "application/manifest+json",
};

/** A path of a URL is bounded by the header limit; this bounds what we ask the file system. */
const pathMaxChars = 4_096;

/** Connects a stream to the file server, as `net.connect` would to an app. */
export function staticConnector(folder: string, startPage?: string): () => Duplex {
  const server = staticServer(folder, startPage);
  return () => {
    const [ours, theirs] = duplexPair();
    server.emit("connection", theirs);
    return ours;
  };
}

/** An HTTP server for the files under `folder`, with `startPage`, one of them, at `/`; it does not listen by itself. */
export function staticServer(folder: string, startPage = "index.html"): Server {
  return createServer((request, response) => {
    serve({ folder, startPage }, request, response).catch((error: unknown) => {
      // The client went away, or the disk failed in the middle: the connection is cut, so that nothing looks whole.
      if (response.headersSent) response.destroy(error as Error);
      else send(response, request, 500, "This file cannot be read.");
    });
  });
}

/** `bytes=…` against a size: one range as `[first, last]`, `unsatisfiable`, or undefined to send the whole. */
export function parseRange(
  header: string | undefined,
  size: number,
): readonly [number, number] | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const [, first, last] = match as unknown as [string, string, string];
  if (first === "") return Number(last) === 0 ? "unsatisfiable" : [Math.max(0, size - Number(last)), size - 1];
  if (Number(first) >= size) return "unsatisfiable";
  if (last !== "" && Number(last) < Number(first)) return undefined;
  return [Number(first), last === "" ? size - 1 : Math.min(Number(last), size - 1)];
}

interface Site {
  readonly folder: string;
  readonly startPage: string;
}

async function serve(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, request, 405, "Only GET and HEAD are served here.");
  }
  const path = pathOf(request.url ?? "/");
  const found = path === undefined ? undefined : await find(site, path);
  if (!found) return notFound(site.folder, request, response);
  if (found.redirect !== undefined) {
    response.setHeader("location", found.redirect + search(request.url ?? ""));
    return send(response, request, 301, "Moved.");
  }
  await using file = found.file;
  await sendFile(file, found.name, request, response);
}

function pathOf(url: string): string | undefined {
  const raw = url.split(/[?#]/, 1)[0] as string;
  if (!raw.startsWith("/") || raw.length > pathMaxChars) return undefined;
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return undefined; // not UTF-8: no file has that name
  }
  const bad = path.includes("\0") || path.split(/[/\\]/).some((part) => part === "..");
  return bad ? undefined : path;
}

type Found =
  | { readonly file: FileHandle; readonly name: string; readonly redirect?: undefined }
  | { readonly redirect: string };

/** The file of this path, opened; a folder's `index.html`; a redirect to the folder's own path; undefined where there is none. */
async function find({ folder, startPage }: Site, path: string): Promise<Found | undefined> {
  const wanted = await inside(folder, path);
  if (wanted === undefined) return undefined;
  const isFolder = (await promises.stat(wanted)).isDirectory();
  if (isFolder !== path.endsWith("/")) {
    if (!isFolder) return undefined;
    const hasIndex = (await inside(folder, join(path, "index.html"))) !== undefined;
    return hasIndex ? { redirect: `${encodeURI(path).replace(/^\/+/, "/")}/` } : undefined;
  }
  const page = path === "/" ? startPage : "index.html";
  const name = isFolder ? await inside(folder, join(path, page)) : wanted;
  const file = name === undefined ? undefined : await openFile(name);
  return name === undefined || file === undefined ? undefined : { file, name };
}

/** Undefined for what is no file: a build may have left a pipe, which nobody ever writes. */
async function openFile(path: string): Promise<FileHandle | undefined> {
  const file = await promises.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

/** The real path, when it is there and within the folder after all symlinks. A release never changes, so it stays so. */
async function inside(folder: string, path: string): Promise<string | undefined> {
  try {
    const [root, real] = await Promise.all([promises.realpath(folder), promises.realpath(join(folder, path))]);
    return real === root || real.startsWith(root + sep) ? real : undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return undefined;
    throw error;
  }
}

async function sendFile(
  file: FileHandle,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { size, mtimeMs } = await file.stat();
  const modified = new Date(Math.floor(mtimeMs / 1000) * 1000);
  const etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
  response.setHeader("etag", etag);
  response.setHeader("last-modified", modified.toUTCString());
  response.setHeader("cache-control", "no-cache");
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("x-content-type-options", "nosniff");
  if (isFresh(request, etag, modified)) return void response.writeHead(304).end();
  response.setHeader("content-type", types[extname(name).toLowerCase()] ?? "application/octet-stream");
  const range = rangeApplies(request, etag, modified) ? parseRange(request.headers.range, size) : undefined;
  if (range === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${size}`);
    return send(response, request, 416, "The file has fewer bytes.");
  }
  const [first, last] = range ?? [0, size - 1];
  if (range) response.setHeader("content-range", `bytes ${first}-${last}/${size}`);
  response.writeHead(range ? 206 : 200, { "content-length": last - first + 1 });
  if (request.method === "HEAD" || last < first) return void response.end();
  await pipeline(createReadStream("", { fd: file, start: first, end: last, autoClose: false }), response);
}

/** RFC 9110 §13.2.2: If-None-Match wins over If-Modified-Since. */
function isFresh({ headers }: IncomingMessage, etag: string, modified: Date): boolean {
  const none = headers["if-none-match"];
  if (none !== undefined)
    return none.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
  const since = headers["if-modified-since"];
  return since !== undefined && modified.getTime() <= Date.parse(since);
}

/** RFC 9110 §13.1.5: a range is of the file that If-Range names, or the whole is sent. */
function rangeApplies({ headers, method }: IncomingMessage, etag: string, modified: Date): boolean {
  const condition = headers["if-range"];
  if (method !== "GET") return false;
  return (
    condition === undefined ||
    condition === etag ||
    (typeof condition === "string" && Date.parse(condition) === modified.getTime())
  );
}

async function notFound(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const own = await inside(folder, "404.html");
  await using file = own === undefined ? undefined : await openFile(own);
  if (file === undefined) return send(response, request, 404, "This Space has no such page.");
  const page = await file.readFile();
  response.writeHead(404, { "content-type": "text/html; charset=utf-8", "content-length": page.length });
  response.end(request.method === "HEAD" ? undefined : page);
}

function send(response: ServerResponse, request: IncomingMessage, status: number, says: string): void {
  const page = `<!doctype html><meta charset="utf-8"><title>${status}</title><p>${says}</p>\n`;
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", "content-length": Buffer.byteLength(page) });
  response.end(request.method === "HEAD" ? undefined : page);
}

function search(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? "" : url.slice(at);
}
