/**
 * The node's side: takes orders from the server, runs builds and replicas, passes on what shims and server say to each other,
 * and sends the node's evidence. It keeps nothing that a shim or a spool could not say again.
 */
import { mkdirSync } from "node:fs";
import type { Builder } from "../build/builder.ts";
import type { CardTrouble, CardUse, DeviceFacts, SpaceOnDisk, ToAgent, ToServer } from "../contract/agent.ts";
import type { Outbound } from "../contract/egress.ts";
import { reachWords } from "../contract/reach.ts";
import type { Isolation } from "../contract/isolation.ts";
import type { Emitter } from "../evidence/entry.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { iso, type Clock } from "../stdx/time.ts";
import { BuildDesk } from "./builds.ts";
import { CardUsers } from "./card-use.ts";
import { FenceFile, Fences } from "./fences.ts";
import type { AgentEnd } from "../link/memory.ts";
import type { AgentLog, CardsTold, CardWatch, EvidenceSource, Launcher, SpacesOnDisk } from "./ports.ts";
import { ReplicaSet } from "./replicas.ts";
import { restartLimits, type RestartLimits } from "./restarts.ts";
import { Shipping } from "./shipping.ts";
import { ReplicasWords } from "./words.ts";

export interface AgentOptions {
  readonly node: string;
  readonly pool: string;
  /** The agent's own: `replicas/`, `fences.jsonl`. */
  readonly folder: string;
  readonly devices: readonly DeviceFacts[];
  /** Looks after them. Absent: nothing can go wrong with them, and nobody uses them. */
  readonly watchCards?: (told: CardsTold) => CardWatch;
  readonly isolation: Isolation;
  /** Absent where nothing closes apps off. */
  readonly outbound?: Outbound | undefined;
  /** Has the apps of a Space keep to this; absent where nothing closes them off. */
  readonly keepTo?: (space: string, reach: string) => void;
  /** Absent while no server is there. */
  readonly link?: AgentEnd;
  readonly builder: Builder;
  readonly launcher: Launcher;
  /** Absent: Spaces keep nothing here. */
  readonly spaces?: SpacesOnDisk;
  readonly emitter: Emitter;
  /** This node's own spools, the emitter's among them. */
  readonly spools: readonly EvidenceSource[];
  /** The spool that a dead shim left in its replica's folder. */
  readonly spoolOf: (replicaFolder: string) => EvidenceSource;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: AgentLog;
  /** Builds that it takes at a time; one where it is not said. */
  readonly buildsAtOnce?: number;
  readonly restarts?: RestartLimits;
  readonly timing?: AgentTiming;
}

export interface AgentTiming {
  readonly heartbeatMs: number;
  readonly shipMs: number;
  /** What an app is given to end by itself when the platform stops. */
  readonly stopGraceMs: number;
}

/** Nine heartbeats fit into the 45 s after which a server takes a node for lost. */
export const agentTiming: AgentTiming = { heartbeatMs: 5_000, shipMs: 250, stopGraceMs: 5_000 };

export interface Agent {
  /** Goes on over another connection, after the first was lost. */
  connect(link: AgentEnd): void;
  /** How closed off this node's apps are was measured anew. */
  measured(isolation: Isolation): void;
  /** Ends builds, and replicas where `stop` says so; `keep` leaves them for the next agent. Bounded. */
  close(replicas: "stop" | "keep"): Promise<void>;
}

/** Finds what runs on this node, then says hello. Rejects where the node's own folder cannot be read. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const agent = new NodeAgent(options);
  await agent.start();
  return agent;
}

class NodeAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #timing: AgentTiming;
  readonly #fences: Fences;
  readonly #shipping: Shipping;
  readonly #replicas: ReplicaSet;
  readonly #builds: BuildDesk;
  readonly #buildsAtOnce: number;
  #link: AgentEnd | undefined;
  #isolation: Isolation;
  #timers: NodeJS.Timeout[] = [];
  #cardWatch: CardWatch | undefined;
  /** What is wrong with the cards; undefined until they were looked at. */
  #trouble: Readonly<Record<string, CardTrouble>> | undefined;
  readonly #users: CardUsers;
  /** Who uses them beside our replicas; undefined until that was looked at. */
  #use: CardUse | undefined;
  readonly #said: ReplicasWords;
  /** What is to go and a replica still has: looked at again with each heartbeat. A server says it again at each hello. */
  readonly #doomed = { releases: new Set<string>(), spaces: new Map<string, SpaceOnDisk>() };
  /** Numbers of the grants that were taken since the last answer about their channel. */
  #taken: number[] = [];
  #answeredUpTo: number;
  /** Connections so far: what came of an older one is not taken for the newer. */
  #connections = 0;

  constructor(options: AgentOptions) {
    const { clock } = options;
    this.#options = options;
    this.#isolation = options.isolation;
    this.#buildsAtOnce = options.buildsAtOnce ?? 1;
    this.#timing = options.timing ?? agentTiming;
    this.#fences = new Fences(new FenceFile(options.folder));
    this.#answeredUpTo = this.#fences.tookGrants;
    const send = (message: ToServer): void => this.#send(message);
    const ship = (batch: Extract<ToServer, { type: "evidence" }>["batch"]): boolean => {
      this.#send({ type: "evidence", batch });
      return this.#link !== undefined;
    };
    this.#shipping = new Shipping(ship, () => clock.monotonic());
    options.spools.forEach((spool, at) => this.#shipping.add(`own-${at}`, spool));
    this.#builds = new BuildDesk({ ...options, send, parallel: this.#buildsAtOnce });
    this.#said = new ReplicasWords({ ...options, cards: () => this.#cardWatch, send });
    this.#replicas = new ReplicaSet({
      ...options,
      releases: options.builder,
      shipping: this.#shipping,
      send: (message) => this.#said.tell(message),
      holdsBack: (replica) => this.#said.holdsBack(replica),
      restarts: options.restarts ?? restartLimits,
    });
    this.#users = new CardUsers(options.launcher, () => this.#replicas.watched());
  }

  async start(): Promise<void> {
    await this.#builds.recover();
    await this.#replicas.recover();
    await this.#options.spaces
      ?.tidy()
      .catch((error: unknown) =>
        this.#options.log.warn({ error: String(error) }, "what deleted Spaces kept could not be removed"),
      );
    if (this.#options.link) this.connect(this.#options.link);
    // What a stop cut off; nobody waits for it but its owner's next build.
    void this.#builds
      .tidy()
      .catch((error: unknown) =>
        this.#options.log.warn({ error: String(error) }, "what nothing needs could not be cleared away"),
      );
    const { watchCards } = this.#options;
    if (watchCards === undefined) this.#trouble = {};
    this.#cardWatch = watchCards?.({
      trouble: (trouble) => {
        this.#trouble = trouble;
        this.#tellCards();
      },
      processes: (seen) => {
        const before = JSON.stringify(this.#use);
        const { use, ours } = this.#users.after(seen);
        this.#use = use;
        if (JSON.stringify(use) !== before) this.#tellCards();
        return ours;
      },
    });
    this.#timers = [
      setInterval(() => this.#heartbeat(), this.#timing.heartbeatMs),
      setInterval(() => this.#shipping.pump(), this.#timing.shipMs),
    ];
  }

  connect(link: AgentEnd): void {
    this.#link?.close();
    this.#link = link;
    const connection = ++this.#connections;
    const { node, pool, devices, emitter, builder } = this.#options;
    this.#send({
      type: "hello",
      node,
      epoch: emitter.epoch,
      pool,
      devices,
      replicas: this.#replicas.hello(),
      sdks: builder.sdks,
      buildsAtOnce: this.#buildsAtOnce,
      isolation: this.#isolation,
      outbound: this.#options.outbound,
    });
    link.onMessage((message) => {
      if (connection === this.#connections) this.#take(message);
    });
    link.onClose(() => {
      if (connection === this.#connections) this.#link = undefined;
    });
  }

  measured(isolation: Isolation): void {
    this.#isolation = isolation;
    this.#send({ type: "isolation", node: this.#options.node, isolation });
  }

  async close(replicas: "stop" | "keep"): Promise<void> {
    await Promise.all([this.#builds.close(), this.#replicas.close(replicas, this.#timing.stopGraceMs)]);
    await this.#said.settled();
    await this.#options.emitter.sync();
    this.#shipping.pump();
    for (const timer of this.#timers) clearInterval(timer);
    this.#cardWatch?.[Symbol.dispose]();
    this.#fences.close();
    this.#link?.close();
    this.#link = undefined;
  }

  #take(message: ToAgent): void {
    switch (message.type) {
      case "welcome":
        return this.#welcome();
      case "start-replica":
        return this.#replicas.start(message.spec);
      case "reach":
        return this.#options.keepTo?.(message.space, message.reach);
      case "stop-replica":
        return this.#replicas.stop(message.replica, message.graceMs, message.why);
      case "freeze-replica":
        this.#replicas.pass(message.replica, message);
        return;
      case "build":
        return this.#builds.take(message.number, message.fence, message.spec);
      case "cancel-build":
        return this.#builds.cancel(message.build, message.fence, message.code, message.why);
      case "grant":
        // A repeat names a number that was answered for: the answer stands.
        if (message.number > this.#answeredUpTo && !this.#taken.includes(message.number))
          this.#taken.push(message.number);
        this.#said.granted(message);
        return this.#passFenced(message, this.#fences.admitGrant(message));
      case "clear":
        return this.#passFenced(message, this.#fences.admit([message.slot], message.fence));
      case "check-cards":
        return void this.#cardWatch?.check();
      case "withdraw":
        return this.#passFenced(message, this.#fences.admitWithdrawal(message.call, message.fence));
      case "queued":
      case "refuse":
        this.#replicas.pass(message.replica, message);
        return;
      case "ack-meter":
        return this.#replicas.ackMeter(message.replica, message.seq);
      case "ack-evidence": {
        const { emitter, epoch, seq } = message;
        if (!this.#shipping.acknowledge({ emitter, epoch, seq })) this.#replicas.ackEvidence({ emitter, epoch, seq });
        return;
      }
      case "remove-releases":
        return void this.#removeReleases(message.releases);
      case "remove-space":
        return void this.#removeSpace(message.space);
      case "read-log":
        return void this.#readLog(message);
    }
  }

  /** The server has taken in our hello: what may have been lost with an older connection is said again. */
  #welcome(): void {
    this.#tellCards();
    this.#replicas.tellAgain();
    this.#replicas.welcomed();
    this.#builds.tellAgain();
    this.#shipping.again();
    this.#heartbeat();
    void this.#tellReleases();
    this.#tellSpaces();
  }

  #tellSpaces(): void {
    const { node, spaces, log } = this.#options;
    if (spaces === undefined) return;
    try {
      const all = spaces.all();
      for (let at = 0; at < all.length; at += spacesAtOnce)
        this.#send({ type: "spaces", node, spaces: all.slice(at, at + spacesAtOnce) });
    } catch (error) {
      log.warn({ error: String(error) }, "what Spaces keep on this node's disk could not be read");
    }
  }

  async #tellReleases(): Promise<void> {
    const { node, builder, log } = this.#options;
    try {
      const all = await builder.releases();
      for (let at = 0; at < Math.max(1, all.length); at += releasesAtOnce)
        this.#send({ type: "releases", node, releases: all.slice(at, at + releasesAtOnce) });
    } catch (error) {
      log.warn({ error: String(error) }, "the releases on this node's disk could not be read");
    }
  }

  /** What a replica still has goes when it has ended. */
  async #removeReleases(releases: readonly string[]): Promise<void> {
    const { builder, log } = this.#options;
    const { releases: doomed } = this.#doomed;
    for (const release of releases)
      if (this.#replicas.uses(release)) doomed.add(release);
      else doomed.delete(release);
    const free = releases.filter((release) => !doomed.has(release));
    if (free.length === 0) return;
    try {
      const owners = await builder.remove(free);
      log.info({ releases: free }, "releases were removed");
      await this.#builds.tidy(owners);
    } catch (error) {
      log.warn({ releases: free, error: String(error) }, "releases could not be removed");
    }
  }

  /** Its replicas that still live were told to end. */
  async #removeSpace(kept: SpaceOnDisk): Promise<void> {
    const { spaces, log } = this.#options;
    if (this.#replicas.livesOf(kept)) return void this.#doomed.spaces.set(`${kept.space} ${kept.madeAt}`, kept);
    this.#doomed.spaces.delete(`${kept.space} ${kept.madeAt}`);
    // One that was made since under its name keeps to what was said of it.
    if (!this.#replicas.livesUnder(kept.space)) this.#options.keepTo?.(kept.space, reachWords.all);
    try {
      await spaces?.remove(kept);
      log.info({ ...kept }, "what a deleted Space kept was removed");
    } catch (error) {
      log.warn({ ...kept, error: String(error) }, "what a deleted Space kept could not be removed");
    }
  }

  #removeDoomed(): void {
    if (this.#doomed.releases.size > 0) void this.#removeReleases([...this.#doomed.releases]);
    for (const kept of [...this.#doomed.spaces.values()]) void this.#removeSpace(kept);
  }

  /** L19. The agent refuses any operation with a fence below the highest it has seen. */
  #passFenced(message: Extract<ToAgent, { type: "grant" | "clear" | "withdraw" }>, admitted: boolean): void {
    if (admitted) {
      this.#replicas.pass(message.replica, message);
      // Of one that has ended nobody else can say that nothing is left there.
      if (message.type === "clear" && this.#replicas.isGone(message.replica))
        this.#said.tell({ ...message, type: "cleared" });
    } else this.#options.log.warn({ refused: message }, "L19: refused, its fence is below the highest seen");
  }

  async #readLog({ read, ...asked }: Extract<ToAgent, { type: "read-log" }>): Promise<void> {
    const { from } = asked;
    try {
      const { lines, next, more, complete, unknown } = await this.#replicas.readLog(asked);
      this.#send({ type: "log", read, lines, next, ...(more && { more }), complete, ...(unknown && { unknown }) });
    } catch (error) {
      const text = `-- the log cannot be read from line ${from} on: ${error instanceof Error ? error.message : String(error)} --`;
      const line = { n: from, at: iso(this.#options.clock.wall()), source: "runtime", stream: "note", text } as const;
      this.#send({ type: "log", read, lines: [line], next: from, complete: true });
    }
  }

  #tellCards(): void {
    const { node } = this.#options;
    if (this.#trouble !== undefined)
      this.#send({ type: "cards", node, trouble: this.#trouble, ...(this.#use && { use: this.#use }) });
  }

  #heartbeat(): void {
    const { node } = this.#options;
    this.#send({ type: "heartbeat", node, tookGrants: this.#fences.tookGrants, builds: this.#builds.holds });
    this.#answerForGrants();
    this.#removeDoomed();
  }

  /** Writes which grants of the scheduler's channel have arrived: whatever is missing among them did not. */
  #answerForGrants(): void {
    if (this.#taken.length === 0) return;
    const taken = this.#taken.splice(0);
    const from = this.#answeredUpTo;
    this.#answeredUpTo = Math.max(from, ...taken);
    const { emitter, node, log } = this.#options;
    emitter
      .answer({ channel: `scheduler→${node}`, from, upTo: this.#answeredUpTo, taken })
      .catch((error: unknown) =>
        log.warn({ error: String(error) }, "the answer for taken grants could not be written"),
      );
  }

  // Without a connection nothing is kept: the next `welcome` makes everybody say again what was not acknowledged.
  #send(message: ToServer): void {
    this.#link?.send(message);
  }
}

/** Some 70 bytes each: far below the bound of a frame. */
const releasesAtOnce = 2_000;
/** Some 150 bytes each. */
const spacesAtOnce = 1_000;
