/** What all parts of the benchmark of repositories share: the platform, the client, sizes, and how a figure of the server stands beside the client's. */
import type { Account, Platform } from "../test/support/platform.ts";
import type { Figure, Report, Skipped } from "./document.ts";
import { figure, peerOf } from "./document.ts";
import { wordOf, type BenchClient, type ClientTimes, type Way } from "./hub-client.ts";
import { cpuSeconds } from "./process-cpu.ts";

export interface Sizes {
  readonly largeBytes: number;
  readonly many: number;
  readonly manyBytes: number;
  /** How many of them are fetched again. */
  readonly manyFetched: number;
  readonly commitFiles: number;
  readonly listedFiles: number;
  readonly rounds: number;
}

export const wholeSizes: Sizes = {
  largeBytes: 1_000_000_000,
  many: 10_000,
  manyBytes: 10_000,
  manyFetched: 1_000,
  commitFiles: 1_000,
  listedFiles: 100_000,
  rounds: 2,
};

export const quickSizes: Sizes = {
  ...wholeSizes,
  largeBytes: 100_000_000,
  many: 500,
  manyFetched: 200,
  listedFiles: 10_000,
};

/** Without a client: where there is no Python index, git is left. */
export interface PlainWorld {
  readonly up: Platform;
  readonly alice: Account;
  readonly sizes: Sizes;
  /** On a disk, for files. */
  readonly folder: string;
  readonly report: Report;
  readonly skipped: Skipped[];
}

export interface World extends PlainWorld {
  readonly client: BenchClient;
}

/** Of one transfer: the client's own, and the processor's seconds that the server took meanwhile. */
export interface Moved extends ClientTimes {
  readonly serverSeconds: number;
}

export async function moved(up: Platform, work: () => Promise<ClientTimes>): Promise<Moved> {
  const before = cpuSeconds(up.pid);
  const times = await work();
  return { ...times, serverSeconds: cpuSeconds(up.pid) - before };
}

/** Of several of a kind: how long it took, and what both ends spent on it, by the gigabyte where it has some. */
export function movedFigures(what: string, all: readonly Moved[], gigabytes: number | null): readonly Figure[] {
  const per = gigabytes ?? 1;
  const server = all.map(({ serverSeconds }) => serverSeconds / per);
  const client = all.map(({ cpuSeconds: seconds }) => seconds / per);
  const name = gigabytes === null ? `cpu s, ${what}` : `cpu s per GB, ${what}`;
  return [
    figure(
      `s, ${what}`,
      "s",
      all.map(({ seconds }) => seconds),
    ),
    { ...figure(name, "s", server), peers: [peerOf("the client's own", client, server)] },
  ];
}

/** The name of the repository to which a round's large file was brought by this way. */
export const largeName = (way: Way, round: number): string => `large-${wordOf[way]}-${round}`;

export async function createRepo({ up, alice }: Pick<World, "up" | "alice">, name: string): Promise<string> {
  const made = await fetch(`${up.url}/api/repos/create`, {
    method: "POST",
    headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
    body: JSON.stringify({ name }),
  });
  if (!made.ok) throw new Error(`${name} was not made: ${await made.text()}`);
  return `${alice.name}/${name}`;
}
