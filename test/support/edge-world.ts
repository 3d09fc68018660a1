/** An edge for tests, with all its ports in memory, on a free port of 127.0.0.1. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openEdge } from "../../src/edge/index.ts";
import type { Edge, EdgeOptions, SpaceDirectory, SpaceRoute } from "../../src/edge/index.ts";
import type { Draft, Emitter, Entry } from "../../src/evidence/entry.ts";
import { instant } from "../../src/stdx/time.ts";
import { testUpstream } from "./upstream.ts";
import type { TestUpstream } from "./upstream.ts";

export type Pack = Parameters<Emitter["pack"]>[0];

/** Keeps what it is given; the order of entries and answers is what tests look at. */
export class MemoryEmitter implements Emitter {
  readonly name = "edge";
  readonly epoch = 3;
  readonly entries: Draft[] = [];
  readonly packs: Pack[] = [];

  write(draft: Draft): Entry {
    this.entries.push(draft);
    const seq = this.entries.length;
    return { ...draft, id: `edge/3/${seq}`, emitter: "edge", epoch: 3, seq, at: "2026-11-22T12:00:00.000Z" };
  }

  writeAll(drafts: readonly Draft[]): void {
    for (const draft of drafts) this.write(draft);
  }

  pack(record: Pack): void {
    this.packs.push(record);
  }

  answer(): never {
    throw new Error("the edge answers for no channel");
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  of(work: string): Draft[] {
    return this.entries.filter((entry) => entry.work === work);
  }
}

export interface EdgeWorld {
  readonly edge: Edge;
  readonly url: string;
  readonly emitter: MemoryEmitter;
  readonly upstream: TestUpstream;
  readonly app: Server;
  readonly counted: { code: string; host: string }[];
  readonly gone: string[];
  /** Spaces that a visitor was let into, in order. */
  readonly used: string[];
  readonly errors: unknown[];
  readonly directory: Map<string, SpaceRoute>;
  close(): Promise<void>;
}

export const appHost = "alice-demo.localhost";

/** One Space, `alice/demo`, whose only replica `r_1` is `app`. */
export async function edgeWorld(
  listener: RequestListener,
  options: Partial<EdgeOptions> & {
    upstream?: Parameters<typeof testUpstream>[2];
    wake?: SpaceDirectory["wake"];
  } = {},
): Promise<EdgeWorld> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-edge-"));
  const app = createServer(listener);
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  const { upstream: how, wake, ...given } = options;
  const upstream = await testUpstream(
    join(folder, "in.sock"),
    () => (app.address() as AddressInfo | null)?.port ?? 1,
    how,
  );
  const emitter = new MemoryEmitter();
  const counted: EdgeWorld["counted"] = [];
  const gone: string[] = [];
  const used: string[] = [];
  const errors: unknown[] = [];
  const directory = new Map<string, SpaceRoute>([
    [
      appHost,
      {
        space: "alice/demo",
        owner: "alice",
        state: { kind: "running", replicas: [{ id: "r_1", socket: upstream.path }] },
      },
    ],
    [
      "alice-asleep.localhost",
      {
        space: "alice/asleep",
        owner: "alice",
        state: { kind: "down", code: "route/not-running", says: "alice/asleep is stopped.", retryAfterMs: 2_500 },
      },
    ],
  ]);
  const edge = await openEdge({
    listen: [{ address: "127.0.0.1", port: 0 }],
    directory: {
      find: (host) => directory.get(host),
      used: (space) => void used.push(space),
      isPrivate: (space) => [...directory.values()].some((route) => route.space === space && route.private === true),
      wake: wake ?? (async () => undefined),
    },
    identity: {
      resolve: ({ authorization, address }) => {
        if (authorization === "Bearer hf_wbwrong") return { refused: "identity/bad-token" };
        const user = authorization === "Bearer hf_wbalice" ? "alice" : null;
        return {
          account: user ?? `address:${address}`,
          tier: "free",
          billedBy: user === null ? "address" : "token",
          user,
        };
      },
      mint: ({ request, visitor }) => `minted.${request}.${visitor.account}`,
    },
    emitter,
    counter: {
      count: ({ code, host }) => {
        counted.push({ code, host });
        return "n_0000000000000001";
      },
    },
    clock: { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) },
    random: (count) => randomBytes(count),
    console: (_, response) => response.end("the console"),
    consoleHosts: ["localhost"],
    explainUrl: (id) => `http://localhost/w/${id}`,
    onVisitorGone: (request) => gone.push(request),
    onError: (error) => errors.push(error),
    ...given,
  });
  return {
    edge,
    url: `http://127.0.0.1:${edge.port}`,
    emitter,
    upstream,
    app,
    counted,
    gone,
    used,
    errors,
    directory,
    close: async () => {
      await edge.close();
      await upstream.close();
      app.closeAllConnections();
      app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Sends raw bytes and resolves with all that came back once the server has closed, or `until` matches. */
export function rawExchange(
  port: number,
  bytes: string | Buffer,
  how: RegExp | { readonly until?: RegExp; readonly from?: string } = {},
): Promise<string> {
  const { until, from } = how instanceof RegExp ? { until: how } : how;
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: "127.0.0.1", port, ...(from !== undefined && { localAddress: from }) });
    let text = "";
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => reject(new Error(`no end after 30 s: ${text}`)), 30_000);
    socket.on("data", (part) => {
      text += part.toString("latin1");
      if (until?.test(text) === true) finish();
    });
    socket.on("close", finish).on("error", finish);
    socket.write(bytes);
  });
}
