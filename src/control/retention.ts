/**
 * What is kept, and what goes: of each Space the newest releases, builds with their logs, and events, and all repositories packed. One
 * sweep does it, after each of a Space's builds and for all of them every hour. The catalog says first that something is gone, then
 * the files go: what a crash leaves in between is found by the next start.
 */
import type { Catalog } from "../catalog/catalog.ts";
import type { ToAgent, ToServer } from "../contract/agent.ts";
import type { HubRepos } from "./hub-repos.ts";
import type { RepositoryStore } from "../hub/repository.ts";
import type { Clock } from "../stdx/time.ts";
import type { Builds } from "./builds.ts";
import type { Spaces } from "./spaces.ts";

/** Of each Space. */
export interface KeptOfSpace {
  /** Releases beside the one that runs, those that are to run, and those that a replica has. */
  readonly releases: number;
  /** Builds with their logs; as many failed ones beside them, and those of releases that are kept. */
  readonly builds: number;
  /** Events; as many with a code beside them. */
  readonly events: number;
}

/** Ten ways back; a build log is 16 MiB at most and 20 KiB as a rule; a Space that sleeps and wakes has 200 events a day. */
export const keptOfSpace: KeptOfSpace = { releases: 10, builds: 50, events: 2_000 };

export interface RetentionPorts {
  readonly catalog: Catalog;
  readonly spaces: Pick<Spaces, "ids" | "removeReleases">;
  readonly builds: Pick<Builds, "isOpen" | "removeLogs">;
  readonly repositories: Pick<RepositoryStore, "collect">;
  /** Models' and datasets', as the {@link RepositoryStore} calls them. */
  readonly hubRepos: Pick<HubRepos, "stored">;
  readonly kept: KeptOfSpace;
  readonly clock: Clock;
  send(node: string, message: ToAgent): boolean;
  onFailure(what: string, error: unknown): void;
}

/** What grows without a build: events, and pushes to branches that are not built. */
const allEveryMs = 3_600_000;
/** Ids in one message, far below its bound. */
const idsAtOnce = 1_000;

export class Retention implements AsyncDisposable {
  readonly #ports: RetentionPorts;
  /** What waits for its sweep, once each; the first is next: Spaces by their ids, other repositories as the store calls them. */
  readonly #waiting = new Map<string, "space" | "files">();
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(ports: RetentionPorts) {
    this.#ports = ports;
    this.#timer = setInterval(() => this.all(), allEveryMs).unref();
  }

  /** Sweeps a Space when those before it are swept. */
  soon(space: string): void {
    if (this.#closing.signal.aborted) return;
    this.#add(space, "space");
  }

  all(): void {
    if (this.#closing.signal.aborted) return;
    for (const space of this.#ports.spaces.ids()) this.#add(space, "space");
    for (const stored of this.#ports.hubRepos.stored()) this.#add(stored, "files");
  }

  /** When all that waits now is swept. */
  async settled(): Promise<void> {
    await this.#sweeping;
  }

  /** A node has come. What it has and nobody can run goes: given up while it was away, or published for a build that had ended. */
  async onReleases(node: string, releases: Extract<ToServer, { type: "releases" }>["releases"]): Promise<void> {
    const { catalog, builds } = this.#ports;
    const runnable = await catalog.kept.runnable(releases.map(({ release }) => release));
    const gone = releases.filter(
      ({ release, build }) => !runnable.has(release) && !(build !== null && builds.isOpen(build)),
    );
    this.#remove(
      node,
      gone.map(({ release }) => release),
    );
    // Before, nobody knew which releases its replicas have.
    this.all();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    this.#waiting.clear();
    await this.settled();
  }

  #add(name: string, what: "space" | "files"): void {
    this.#waiting.set(name, what);
    this.#sweeping ??= this.#sweep();
  }

  /** Of one at least: it waits for something before it is done. */
  async #sweep(): Promise<void> {
    for (const [name, what] of this.#waiting) {
      this.#waiting.delete(name);
      if (what === "space") await this.#sweepSpace(name);
      await this.#try(`the repository of ${name}`, () => this.#ports.repositories.collect(name, this.#closing.signal));
    }
    // At once: what comes from here on is for the next sweep.
    this.#sweeping = undefined;
  }

  async #sweepSpace(space: string): Promise<void> {
    await this.#try(`the releases of ${space}`, () => this.#sweepReleases(space));
    await this.#try(`the builds of ${space}`, () => this.#sweepBuilds(space));
    await this.#try(`the events of ${space}`, () =>
      this.#ports.catalog.kept.trimEvents(space, this.#ports.kept.events),
    );
  }

  async #sweepReleases(space: string): Promise<void> {
    const removed = Map.groupBy(await this.#ports.spaces.removeReleases(space), ({ node }) => node);
    for (const [node, rows] of removed)
      this.#remove(
        node,
        rows.map(({ id }) => id),
      );
  }

  async #sweepBuilds(space: string): Promise<void> {
    const { catalog, builds, kept, clock } = this.#ports;
    await builds.removeLogs(await catalog.kept.trimBuilds(space, { newest: kept.builds, now: clock.wall() }));
  }

  /** A node that is away says what it has when it comes back. */
  #remove(node: string, releases: readonly string[]): void {
    for (let at = 0; at < releases.length; at += idsAtOnce)
      this.#ports.send(node, { type: "remove-releases", releases: releases.slice(at, at + idsAtOnce) });
  }

  /** One that fails, as on a full disk, keeps no other from going; the next sweep tries it again. */
  async #try(what: string, task: () => Promise<void>): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await task().catch((error: unknown) => this.#ports.onFailure(`sweeping ${what}`, error));
  }
}
