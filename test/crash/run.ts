/** Lives and deaths of one platform: started, under load, and killed at an instant that the seed chose. */
import { setTimeout as delay } from "node:timers/promises";
import { ApiError } from "../../src/client/errors.ts";
import type { Prng } from "../../src/stdx/prng.ts";
import type { Platform } from "../support/platform.ts";
import type { Client } from "./clients.ts";
import type { Findings } from "./promises.ts";

/** One of so many starts is killed too. */
const startKillOf = 4;
/** Under load it is killed when fewer than so many things were done since its start, be the machine fast or slow: most lives are short… */
const actsMax = [20, 100, 150] as const;
/** …at once, as the last of them is answered, which meets what was answered too early; or an instant later, which meets all that is under way somewhere… */
const laterMs = 30;
/** …but not after this, as where all its clients wait. */
const lifeMaxMs = 5_000;
/** Of a platform that ended by itself. */
const toldLines = 5;
/** What a start is taken to need before one has been measured. */
const startsInMs = 500;

export class Run {
  readonly recoveryMs: number[] = [];
  kills = 0;
  killsInStart = 0;
  readonly #up: Platform;
  readonly #clients: readonly Client[];
  readonly #chance: Prng;
  readonly #findings: Findings;
  /** What all clients have done, in all lives. */
  #done = 0;
  /** What each client does; from one life to the next, where it asks again until it is answered. */
  #serving: readonly Promise<void>[];
  #life = new Life(0);

  constructor(
    up: Platform,
    { clients, chance, findings }: { clients: readonly Client[]; chance: Prng; findings: Findings },
  ) {
    this.#up = up;
    this.#clients = clients;
    this.#chance = chance;
    this.#findings = findings;
    this.#serving = clients.map(() => Promise.resolve());
  }

  /**
   * All clients compare what they were promised, then go on, until the platform is killed. Half of them leave then; the others send
   * again what was not answered, with the same `Idempotency-Key`, until it is there again. Rejects where the platform ended by itself.
   */
  async liveAndDie(): Promise<void> {
    const life = new Life(this.#chance.int(this.#chance.pick(actsMax)));
    this.#life = life;
    this.#serving = this.#clients.map((client, n) => this.#serve(client, life, this.#serving[n]));
    const late = new AbortController();
    await Promise.race([life.lived, delay(lifeMaxMs, undefined, late).catch(() => undefined)]); // Aborted: it was lived.
    late.abort();
    if (this.#chance.int(2) === 0) await delay(this.#chance.int(laterMs));
    life.over = true;
    if (this.#up.hasEnded)
      throw new Error(`the platform ended by itself:\n${this.#up.log.slice(-toldLines).join("\n")}`);
    await this.#up.kill();
    this.kills += 1;
    life.leave();
  }

  /** Starts it again; now and then it is killed before it is ready, and started once more. */
  async start(): Promise<void> {
    while (this.#chance.int(startKillOf) === 0) await this.#dieInStart();
    const since = performance.now();
    await this.#up.up();
    this.recoveryMs.push(Math.round(performance.now() - since));
  }

  /** Once more, when nothing kills it any more. */
  async compare(): Promise<void> {
    await Promise.all(this.#serving);
    for (const client of this.#clients) await client.compare().catch((error: unknown) => this.#failed(client, error));
  }

  #failed({ name }: Client, error: unknown): void {
    if (error instanceof ApiError) {
      const { status, code, detail } = error.problem;
      this.#findings.other.push(`${name} was refused: ${status} ${code}, ${detail}`);
    } else this.#findings.other.push(`${name}: ${String((error as Error).stack)}`);
  }

  async #dieInStart(): Promise<void> {
    const ready = this.#up.up().then(
      () => true,
      (error: unknown) => {
        if (!String(error).includes("SIGKILL")) throw error;
        return false;
      },
    );
    await delay(this.#chance.int(this.recoveryMs.at(-1) ?? startsInMs));
    await this.#up.kill();
    this.kills += 1;
    if (!(await ready)) this.killsInStart += 1;
  }

  async #serve(client: Client, life: Life, before: Promise<void> | undefined): Promise<void> {
    const signal = this.#chance.int(2) === 0 ? life.left : undefined;
    await before;
    try {
      if (!life.over) await client.compare();
      while (!life.over) {
        if (!(await this.#turnOf(client, life))) return;
        await client.act({ signal }, this.#done);
        this.#done += 1;
        this.#life.did(this.#done);
      }
    } catch (error) {
      // What the kill has cut off is no failure.
      if (error instanceof ApiError || !life.over) this.#failed(client, error);
    }
  }

  /** False where the life ends before it comes. */
  async #turnOf({ turnAt = 0 }: Client, life: Life): Promise<boolean> {
    return this.#done >= turnAt || life.turn(turnAt);
  }
}

/** Of a client that waits for the others' acts. */
interface Turn {
  readonly at: number;
  readonly take: (isReached: boolean) => void;
}

/** From a start until the kill. */
class Life {
  over = false;
  /** Resolves when so much was done as this life is for. */
  readonly lived: Promise<void>;
  readonly #gone = new AbortController();
  #acts: number;
  #end: () => void = () => undefined;
  readonly #turns = new Set<Turn>();

  constructor(acts: number) {
    this.#acts = acts;
    this.lived = new Promise((resolve) => (this.#end = resolve));
    if (acts === 0) this.#end();
  }

  /** Aborted when the clients that do not wait for the next start go. */
  get left(): AbortSignal {
    return this.#gone.signal;
  }

  leave(): void {
    this.#gone.abort();
    for (const turn of this.#turns) this.#take(turn, false);
  }

  /** One more act, with which so many are done in all lives. */
  did(done: number): void {
    if (--this.#acts === 0) this.#end();
    for (const turn of this.#turns) if (done >= turn.at) this.#take(turn, true);
  }

  /** Resolves with true when so many acts are done, with false when the clients leave. */
  turn(at: number): Promise<boolean> {
    if (this.#gone.signal.aborted) return Promise.resolve(false);
    return new Promise((take) => this.#turns.add({ at, take }));
  }

  #take(turn: Turn, isReached: boolean): void {
    this.#turns.delete(turn);
    turn.take(isReached);
  }
}
