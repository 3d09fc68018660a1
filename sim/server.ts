/** The platform's server as it runs in production, engine, calls and nodes, over the simulated journal, clock and network. */
import { Calls } from "../src/control/calls.ts";
import { Engine } from "../src/control/engine.ts";
import { Nodes } from "../src/control/nodes.ts";
import { isLiving, Replicas } from "../src/control/replicas.ts";
import type { Command } from "../src/core/model.ts";
import type { State } from "../src/core/state.ts";
import { openCallsOn } from "../src/core/views.ts";
import type { Draft, Emitter, Entry } from "../src/evidence/entry.ts";
import { owner } from "./gifts.ts";
import { openSimJournal } from "./journal.ts";
import type { SimJournal } from "./journal.ts";
import type { Connection } from "./network.ts";
import { Life } from "./time.ts";
import { placeOf } from "./shim.ts";
import type { World } from "./world.ts";

const retellEveryMs = 1_000;
const clearEveryMs = 5_000;

export class Server {
  readonly life: Life;
  readonly #world: World;
  readonly #journal: SimJournal;
  #engine: Engine | undefined;
  #nodes: Nodes | undefined;
  #calls: Calls | undefined;
  isUp = false;

  /** Opens the journal; throws what that throws. `isUp` follows when the engine is open. */
  constructor(world: World) {
    this.#world = world;
    this.life = new Life(world.serverMachine.life);
    const { disk, diskManners: manners, time, watch } = world;
    this.#journal = openSimJournal({
      disk,
      manners,
      now: () => time.now,
      after: (ms, run) => void time.after(ms, this.life, run),
      onAppend: (record) => watch.appended(record, world.serverMachine.clock.monotonic()),
      onDurable: (records) => {
        watch.durable(records);
        this.#mayDie();
      },
    });
    watch.reopened();
    void this.#start().catch((error: unknown) => this.#failed("the server's start", error));
  }

  get engine(): Engine | undefined {
    return this.isUp && this.life.isAlive ? this.#engine : undefined;
  }

  connect(connection: Connection): void {
    const { server: end } = connection;
    const { watch } = this.#world;
    this.#nodes?.connect({
      send: (message) => {
        this.#mayDie();
        if (!this.life.alive) return;
        watch.told(message);
        end.send(message);
      },
      onMessage: (listener) =>
        end.onMessage((message) => {
          watch.came(message);
          listener(message);
        }),
      onClose: (listener) => end.onClose(listener),
      close: () => end.close(),
    });
  }

  visitorGone(request: string): void {
    if (this.#calls) this.#guard("a visitor's leave", this.#calls.visitorGone(request));
  }

  /** The process is killed here. */
  kill(): void {
    if (!this.life.alive) return;
    this.life.alive = false;
    this.isUp = false;
    this.#journal.crash();
    this.#world.serverDied(this);
  }

  /** Nobody hears of what follows. */
  #mayDie(): void {
    if (this.life.isAlive && this.#world.diesHere("server")) this.kill();
  }

  async #start(): Promise<void> {
    const { serverMachine, configuration, watch } = this.#world;
    const { clock } = serverMachine;
    const engine = await Engine.open({
      journal: this.#journal,
      clock,
      alarm: clock.timers(this.life).after,
      snapshotEvery: configuration.snapshotEvery,
      onFatal: (failure) => {
        watch.engineFailed(failure);
        this.#world.time.after(0, this.life, () => this.kill());
      },
    });
    watch.opened(engine);
    this.#engine = engine;
    for (const command of this.#settings()) await engine.submit(command);
    const replicas = new Replicas();
    const calls = this.#wire(engine, replicas);
    const open = (state: State) => [...state.nodes.keys()].flatMap((node) => openCallsOn(state, node));
    calls.restore(await engine.read((state) => open(state).map((call) => ({ ...call }))));
    engine.subscribe((record) => calls.onRecord(record));
    const timers = clock.timers(this.life);
    timers.every(retellEveryMs, () => this.#guard("telling waiting calls", calls.retell()));
    timers.every(clearEveryMs, () => this.#guard("ordering ends again", calls.clearAgain()));
    this.isUp = true;
  }

  #settings(): Command[] {
    const { configuration, division } = this.#world;
    const { pool, tiers } = configuration;
    const tierCommands = tiers.map(({ tier, settings }): Command => ({ type: "set-tier", tier, settings }));
    const pools = division.pools.map((name): Command => ({ type: "set-pool", pool: name, settings: pool }));
    return [...pools, ...tierCommands];
  }

  #wire(engine: Engine, replicas: Replicas): Calls {
    const { serverMachine, configuration } = this.#world;
    const nodes: Nodes = new Nodes({
      engine,
      replicas,
      serverEpoch: 1,
      calls: () => calls,
      onNode: ({ node }) => calls.tellAll(node),
      onReplica: nothing,
      onHeartbeat: nothing,
      onAway: nothing,
      onBuild: nothing,
      onReleases: nothing,
      onSpaces: nothing,
      wasDeleted: async () => false,
      ingest: async ({ emitter, epoch }) => ({ emitter, epoch, seq: 0 }),
      release: async (id) => placeOf(id),
      builder: () => undefined,
      count: ({ sample }) => {
        this.#world.watch.unexpected("no node here speaks of another's", new Error(sample));
        return "";
      },
      onFailure: (what, error) => this.#failed(what, error),
    });
    const calls: Calls = new Calls({
      engine,
      emitter: silentEmitter,
      clock: serverMachine.clock,
      replica: (id) => {
        const known = replicas.get(id);
        if (!known || !isLiving(known.status)) return undefined;
        const { space, release } = known.status;
        return { space, release, owner: owner.account, node: known.node, pool: known.pool, functions: {} };
      },
      verifyToken: (token) => this.#world.verifyToken(token),
      misfit: async () => undefined,
      onLeave: (space) => configuration.spaces.find(({ name }) => name === space)?.onLeave ?? "finish",
      ownerTier: () => owner.tier,
      send: (node, message) => void nodes.send(node, message),
      device: (slot) => nodes.device(slot),
      onFailure: (what, error) => this.#failed(what, error),
    });
    this.#nodes = nodes;
    this.#calls = calls;
    return calls;
  }

  #guard(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#failed(what, error));
  }

  /** Of a server that is dead, or whose engine has stopped, nothing else is expected. */
  #failed(what: string, error: unknown): void {
    const { code } = error as { code?: unknown };
    if (!this.life.alive || code === "journal-stopped" || code === "engine-stopped") return;
    this.#world.watch.unexpected(what, error);
  }
}

const nothing = async (): Promise<void> => {};

/** What a server would write as evidence: read by nobody here. */
const silentEmitter: Emitter = {
  name: "server",
  epoch: 1,
  write: (draft: Draft): Entry => ({ ...draft, id: "server/1/0", emitter: "server", epoch: 1, seq: 0, at: "" }),
  writeAll: () => {},
  pack: () => {},
  answer: async (mark) => ({ ...mark, emitter: "server", epoch: 1, seq: 0, at: "" }),
  sync: nothing,
};
