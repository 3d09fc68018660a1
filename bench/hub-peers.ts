/** What the Hub's faces are compared with: nginx that gives the same file to the same client, and `git http-backend` alone. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { linkSync, mkdirSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { Skipped } from "./document.ts";
import { nginxWith, startInstalled } from "./edge-peers.ts";
import type { Side } from "./edge-sides.ts";

/** The repository that nginx seems to have. */
export const nginxRepo = "bench/large";
const commit = "0".repeat(39) + "1";

/** What the client asks of a file's address, from a folder: its bytes, their number, and headers that name the commit and the content. */
export async function startNginx(
  folder: string,
  file: string,
  sha256: string,
  children: ChildProcess[],
): Promise<Side | Skipped> {
  const root = join(folder, "nginx");
  const shown = join(root, "files", nginxRepo, "resolve", "main", "w.bin");
  mkdirSync(dirname(shown), { recursive: true });
  linkSync(file, shown);
  const files = nginxWith(
    ({ port }) => `
  sendfile on;
  tcp_nopush on;
  server {
    listen 127.0.0.1:${port};
    root ${root}/files;
    etag off;
    location / {
      add_header X-Repo-Commit ${commit};
      add_header ETag '"${sha256}"';
    }
  }`,
  );
  return startInstalled(files, { app: "", folder: root }, children);
}

/** `git http-backend` behind the least that there can be of a server: each request is a process of it (git-http-backend(1), RFC 3875). */
export class PlainGit implements AsyncDisposable {
  readonly #root: string;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  private constructor(root: string) {
    this.#root = root;
  }

  static async start(root: string): Promise<PlainGit> {
    const plain = new PlainGit(root);
    plain.#server.listen(0, "127.0.0.1");
    await once(plain.#server, "listening");
    return plain;
  }

  /** Makes a repository that anybody may write to; gives its address. */
  make(name: string): string {
    const folder = join(this.#root, `${name}.git`);
    const { status } = spawnSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", folder]);
    if (status !== 0) throw new Error(`git init ended with ${status}`);
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${name}.git`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? "", "http://plain");
    const header = (name: string): string => String(request.headers[name] ?? "");
    const child = spawn("git", ["http-backend"], {
      stdio: ["pipe", "pipe", "ignore"],
      env: {
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: "1",
        REMOTE_USER: "bench",
        REMOTE_ADDR: "127.0.0.1",
        REQUEST_METHOD: request.method ?? "GET",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        CONTENT_TYPE: header("content-type"),
        ...(request.headers["content-length"] && { CONTENT_LENGTH: header("content-length") }),
        ...(request.headers["content-encoding"] && { HTTP_CONTENT_ENCODING: header("content-encoding") }),
        ...(request.headers["git-protocol"] && { GIT_PROTOCOL: header("git-protocol") }),
      },
    });
    child.stdin.on("error", () => request.unpipe(child.stdin)); // It has what it needs.
    request.pipe(child.stdin);
    let head = Buffer.alloc(0);
    const onHead = (piece: Buffer): void => {
      head = Buffer.concat([head, piece]);
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      child.stdout.off("data", onHead);
      const fields = head
        .toString("latin1", 0, end)
        .split("\r\n")
        .map((line) => line.split(": ", 2) as [string, string]);
      const status = fields.find(([name]) => name.toLowerCase() === "status")?.[1];
      response.writeHead(status === undefined ? 200 : Number.parseInt(status, 10), Object.fromEntries(fields));
      response.write(head.subarray(end + 4));
      child.stdout.pipe(response);
    };
    child.stdout.on("data", onHead);
    response.once("close", () => child.kill());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
