/** An app's visitors and functions: they ask for a GPU, use it well or badly, and go away at any time. */
import type { Ticket } from "../src/gpu/device.ts";
import type { GrantAnswer, ReleaseQuery, ScheduleQuery } from "../src/gpu/wire.ts";
import type { Process, Shim } from "./shim.ts";
import { uuidOf } from "./machine.ts";
import { Life } from "./time.ts";
import type { World } from "./world.ts";

type Outcome = "returns" | "raises" | "dies" | "hangs" | "never-attaches" | "comes-late" | "unused";

const outcomes: readonly Outcome[] = [
  ...Array.from({ length: 8 }, (): Outcome => "returns"),
  "raises",
  "raises",
  "dies",
  "dies",
  "hangs",
  "never-attaches",
  "comes-late",
  "unused",
];
const tasks = ["t0", "t1"] as const;
const quiet = { exitCode: null, signal: null } as const;

export class App {
  /** The app's process: it ends before its shim does. */
  readonly life: Life;
  readonly #shim: Shim;
  readonly #world: World;
  /** Workers that idle on, by task and the number of their slot. */
  readonly #idle = new Map<string, Process>();
  readonly #using = new Set<string>();

  constructor(shim: Shim, world: World) {
    this.life = new Life(shim.life);
    this.#shim = shim;
    this.#world = world;
    for (let n = 0; n < world.configuration.clients; n++) this.#think();
  }

  /** It has the GPU and has not given it back. */
  isUsing(call: string): boolean {
    return this.#using.has(call);
  }

  #think(): void {
    const { random, configuration } = this.#world;
    this.#after(50 + random.int(configuration.thinkMs), () => {
      if (!this.#world.isBusy) return;
      this.#visit();
    });
  }

  #visit(): void {
    const { random } = this.#world;
    this.#ask({
      task: random.pick(tasks),
      declaredMs: this.#world.declaredMs(),
      size: random.chance(0.1) ? "xlarge" : "large",
      token: this.#world.visitorsToken(),
      extended: true,
    });
  }

  #ask(query: ScheduleQuery): void {
    const { random } = this.#world;
    const ticket = this.#shim.device.schedule(query);
    if (ticket === undefined) return this.#think();
    let client: "waits" | "answered" | "gone" = "waits";
    if (random.chance(0.12)) {
      this.#after(random.int(4_000), () => {
        if (client !== "waits") return;
        client = "gone";
        this.#hangUp(ticket, query);
      });
    }
    void ticket.answer.then((answer) => {
      if (client === "gone" || !this.life.isAlive) return;
      client = "answered";
      if (answer.kind === "granted") return this.#use(answer.grant, query.task);
      this.#world.count(answer.kind === "refused" ? "callsRefused" : "callsMoot");
      return this.#after(random.int(3_000), () => this.#think());
    });
  }

  /** Its stream broke: it may come back once for the same call. */
  #hangUp(ticket: Ticket, query: ScheduleQuery): void {
    const { random } = this.#world;
    const again = random.chance(0.5);
    ticket.hangUp(again);
    if (again && random.chance(0.7)) this.#after(random.int(7_000), () => this.#ask(query));
    else this.#think();
  }

  #use(grant: GrantAnswer, task: string): void {
    this.#world.count("callsGranted");
    const { random, configuration } = this.#world;
    if (random.chance(0.1)) this.#after(random.int(2_000), () => this.#world.visitorLeaves(grant.call));
    const outcome = random.pick(outcomes);
    const key = `${task} ${grant.nvidiaUUID} ${grant.nvidiaIndex}`;
    const known = this.#idle.get(key);
    this.#idle.delete(key);
    const runMs = outcome === "hangs" ? grant.leaseMs + 3_000 : random.int(configuration.runMs);
    if (outcome === "never-attaches") return this.#think();
    if (grant.idle && known?.seen === null) {
      this.#world.watch.uses(this.#shim, grant, known);
      return this.#run({ grant, worker: known, outcome, runMs, key });
    }
    const lateMs = outcome === "comes-late" ? 2_000 + random.int(10_000) : 0;
    this.#after(lateMs + random.int(400), () =>
      this.#attach({ grant, worker: this.#shim.fork(), outcome, runMs, key }),
    );
  }

  #attach(use: Use): void {
    const { grant, worker } = use;
    void this.#shim.device.allow(grant.allowToken, worker.pid).then((answer) => {
      if (!this.life.isAlive) return;
      if (answer === "ok") {
        if (worker.seen === null) this.#world.watch.uses(this.#shim, grant, worker);
        return this.#run(use);
      }
      this.#world.count("allowsRefused");
      this.#shim.died(worker, { exitCode: 1, signal: null });
      return this.#think();
    });
  }

  #run(use: Use): void {
    this.#using.add(use.grant.call);
    const { worker, outcome, runMs } = use;
    const { random } = this.#world;
    if (random.chance(0.03)) this.#strays(use);
    if (outcome === "dies") {
      const seen = random.pick([
        { exitCode: 1, signal: null },
        { exitCode: null, signal: "SIGSEGV" },
        { exitCode: null, signal: "SIGKILL" },
      ]);
      this.#after(runMs, () => this.#shim.died(worker, seen));
    }
    this.#after(runMs + (outcome === "dies" ? random.int(800) : 0), () => this.#release(use));
  }

  /** What a function started uses its card beside it, and goes on; or its worker uses another card too. */
  #strays({ grant, worker }: Use): void {
    if (worker.seen !== null) return; // It was ended while the answer was on its way.
    const { random, watch } = this.#world;
    const others = this.#shim.machine.cards.map((_, card) => uuidOf(card)).filter((uuid) => uuid !== grant.nvidiaUUID);
    const isWorker = others.length > 0 && random.chance(0.3);
    const stray = isWorker ? worker : this.#shim.fork();
    stray.cards.add(isWorker ? random.pick(others) : grant.nvidiaUUID);
    watch.strays(stray);
  }

  #release({ grant, worker, outcome, key }: Use): void {
    const { random } = this.#world;
    this.#using.delete(grant.call);
    const word: ReleaseQuery = {
      ...quiet,
      allowToken: grant.allowToken,
      fail: outcome !== "returns",
      outcome: outcome === "raises" ? "raised" : outcome === "unused" ? "unused" : null,
    };
    const times = random.chance(0.1) ? 2 : 1;
    for (let n = 0; n < times; n++) {
      void this.#shim.device.release(word).then((answer) => {
        if (answer.kind === "ended") this.#world.watch.released(this.#shim, grant.call);
        if (n > 0 || !this.life.isAlive) return;
        if (answer.kind === "ended" && answer.end.workerAlive && worker.seen === null) this.#idle.set(key, worker);
        this.#think();
      });
    }
  }

  #after(ms: number, run: () => void): void {
    this.#world.time.after(ms, this.life, run);
  }
}

interface Use {
  readonly grant: GrantAnswer;
  readonly worker: Process;
  readonly outcome: Outcome;
  readonly runMs: number;
  readonly key: string;
}
