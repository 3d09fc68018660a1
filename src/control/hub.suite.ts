/** What the tests of the Hub's API share: a server with two people, who ask it as the Hub's clients do. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { LfsStore } from "../hub/lfs-store.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld } from "./control.suite.ts";

export const sha1 = /^[0-9a-f]{40}$/;

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- each test reads the answer that it is about
}

export class Hub implements AsyncDisposable {
  readonly world: ControlWorld;
  readonly #app: ReturnType<typeof createChecked>;
  readonly #tokens: ReadonlyMap<string, string>;

  private constructor(world: ControlWorld, tokens: ReadonlyMap<string, string>) {
    this.world = world;
    this.#app = createChecked(world.server);
    this.#tokens = tokens;
  }

  static async open(): Promise<Hub> {
    const world = await ControlWorld.open();
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const tokens = new Map<string, string>();
    for (const name of ["alice", "bob"]) tokens.set(name, await world.token(name, ["read", "write"]));
    return new Hub(world, tokens);
  }

  /** `by`: null for nobody. */
  async ask(line: string, body?: unknown, by: string | null = "alice"): Promise<Asked> {
    const [method = "", path = ""] = line.split(" ");
    const isWritten = typeof body === "string" || body instanceof ReadableStream;
    const answer = await this.#app.request(`http://hub.test:7070${path}`, {
      method,
      headers: {
        ...(by !== null && { authorization: `Bearer ${this.#tokens.get(by) ?? by}` }),
        ...(isWritten && { "content-type": "application/x-ndjson" }),
      },
      ...(body !== undefined && { body: isWritten ? body : JSON.stringify(body), duplex: "half" }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
  }

  async model(name = "tiny", wish: object = {}): Promise<string> {
    const made = await this.ask("POST /api/repos/create", { name, ...wish });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return `/api/models/alice/${name}`;
  }

  commit(
    repo: string,
    operations: readonly object[],
    header: object = {},
    branch = "main",
    by = "alice",
  ): Promise<Asked> {
    return this.ask(`POST ${repo}/commit/${branch}`, commitOf(operations, header), by);
  }

  /** Where alice's only model lies. */
  get folder(): string {
    return this.world.repositories.repositoryOf(this.world.hubRepos.stored()[0] ?? "");
  }

  async store(bytes: Buffer): Promise<string> {
    const oid = createHash("sha256").update(bytes).digest("hex");
    const store = new LfsStore(this.world.random, { freeMinBytes: 0 });
    const pieces = (async function* () {
      yield bytes;
    })();
    assert.deepEqual(await store.put(this.folder, { oid, size: bytes.length }, pieces, "alice"), { ok: true });
    return oid;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

export const file = (path: string, text: string): object => ({
  key: "file",
  value: { path, content: Buffer.from(text).toString("base64"), encoding: "base64" },
});

export function commitOf(operations: readonly object[], header: object): string {
  const first = { key: "header", value: { summary: "next", description: "", ...header } };
  return [first, ...operations].map((line) => JSON.stringify(line)).join("\n");
}

export const says = ({ status, headers, body }: Asked): readonly unknown[] => [
  status,
  headers.get("x-error-code"),
  body.error === undefined ? "no error" : typeof body.error,
];
export const missing = [404, "RepoNotFound", "string"];
