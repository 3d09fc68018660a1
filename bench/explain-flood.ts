/** A stranger's flood of bad requests at a whole platform, of every kind that the edge refuses, and what its records grow by meanwhile. */
import { randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Platform } from "../test/support/platform.ts";
import { scratch } from "./disk.ts";
import type { Report } from "./document.ts";

export const floodMs = 60_000;
const connections = 16;
/** What was counted is stored within a second; what a spool has is shipped within as much. */
const settleMs = 3_000;

export interface Flooded {
  readonly requests: number;
  /** By how much the evidence store and the spools have grown. */
  readonly bytes: number;
  /** How many of each status came back; 0 where the connection was closed without one. */
  readonly answers: Readonly<Record<string, number>>;
}

export async function flood(report: Report): Promise<Flooded> {
  await using up = await Platform.start({ within: scratch("flood") });
  const alice = await up.account("alice");
  const open = await up.deploy(alice, "app");
  await alice.client.createSpace("alice/closed", { private: true });
  const closed = await up.deploy(alice, "closed");
  const port = Number(new URL(up.url).port);
  const hosts = [open, closed].map(({ deployed }) => new URL(deployed.space.addresses[0] ?? "").host);
  // All that the deployments have told is in the store.
  await new Promise((done) => setTimeout(done, settleMs));
  report(`a flood of ${floodMs / 1_000} s at ${hosts.join(" and ")}`);
  const before = sizeOf(up.data);
  const until = performance.now() + floodMs;
  const answers: Record<string, number> = {};
  let requests = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const status = await answerTo(port, badRequest(requests, hosts));
      answers[status] = (answers[status] ?? 0) + 1;
      requests += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  await new Promise((done) => setTimeout(done, settleMs));
  return { requests, bytes: sizeOf(up.data) - before, answers };
}

/** Each with names and paths of its own, as long as they may be. */
function badRequest(n: number, [open = "", closed = ""]: readonly string[]): string {
  const long = randomBytes(300).toString("hex");
  const get = (host: string, path: string, more = ""): string =>
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`;
  const label = (): string => randomBytes(30).toString("hex");
  const kinds = [
    () => get(`${label()}.localhost`, `/${long}`),
    () => get(`${label()}.${label()}.${label()}.example.com`, `/?${long}`),
    () => get(closed, `/${long}`),
    () => get(open, `/${long}`, `Authorization: Bearer wb_${randomBytes(24).toString("hex")}\r\n`),
    () => get(open, `/${long}`, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    () => get(open, `/${long}`, `X: ${"y".repeat(70_000)}\r\n`),
    () => `${long} / HTTP/9.9\r\n\r\n`,
    () => get(open, `/${long}`, "Host: other.localhost\r\n"),
  ];
  return (kinds[n % kinds.length] as () => string)();
}

function answerTo(port: number, request: string): Promise<number> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ host: "127.0.0.1", port });
    const end = (): void => {
      socket.destroy();
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0));
    };
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (text.includes("\r\n")) end();
    });
    // One that is reset has its answer too: none.
    socket.on("error", end).on("close", end);
    socket.write(request);
  });
}

/** The store and the spools. */
function sizeOf(data: string): number {
  const spool = join(data, "spool");
  const files = readdirSync(spool).map((name) => join(spool, name));
  return files.reduce((sum, file) => sum + statSync(file).size, storeBytes(join(data, "evidence.db")));
}

/** With what is still in its log, whose file keeps its size and is written again. */
export function storeBytes(path: string): number {
  using db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  return statSync(path).size;
}
