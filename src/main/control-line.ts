/** A worker's side of what the server tells and is asked: its copy, and what it says itself while no server is there. */
import { pairKey } from "../contract/edge.ts";
import type { EdgePair, EdgeReport, FromEdge, PairAsked } from "../contract/edge.ts";
import type {
  CallTold,
  IdentityRefusal,
  SpaceDirectory,
  SpaceRoute,
  StrangerCounter,
  TlsPairs,
  VisitorIdentity,
} from "../edge/index.ts";
import { Remembered } from "../identity/remembered.ts";
import { standing } from "../identity/sessions.ts";
import type { FoundSession } from "../identity/sessions.ts";
import { TokenResolver } from "../identity/token-resolver.ts";
import type { FoundToken } from "../identity/token-resolver.ts";
import { ToldKeys } from "../identity/visitor-keys.ts";
import type { VisitorKey } from "../identity/visitor-token.ts";
import { Counters } from "../record/counters.ts";
import { assert } from "../stdx/assert.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { EdgeCopy } from "./edge-copy.ts";
import type { ForEdge } from "./edge-copy.ts";
import { visitorIdentity } from "./visitors.ts";

/** A server that is started again is there within seconds. */
const awayRetryMs = 5_000;
/** Tokens and wakes that are asked for at a time: more than one server answers in the time that a visitor waits. */
const asksMax = 10_000;
/** A server of this machine answers at once: one that does not is being ended, and the visitor waits. */
const settleWithinMs = 1_000;
/** A token's use is told so often; the catalog keeps it to the hour. */
const touchEveryMs = 600_000;
/** A report says what is new; without anything new it is still a sign of life. */
const quietReportEveryMs = 1_000;

/** The server is needed, and is not there. */
class ControlAway extends Error {
  override readonly name = "ControlAway";
}

export interface ControlLineParts {
  readonly say: (message: FromEdge) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The GPU queue says something of a call. */
  readonly onTold: (request: string, told: CallTold) => void;
  /** Another address is to be answered on. */
  readonly onAddress: (address: string) => Promise<void>;
  /** As well on a port that is one Space's. */
  readonly onPort: (port: number, mark: string) => Promise<void>;
}

interface Asked {
  settle(message: ForEdge | undefined): void;
}

export class ControlLine implements SpaceDirectory, StrangerCounter {
  readonly first: Promise<EdgeCopy>;
  readonly #parts: ControlLineParts;
  readonly #begun = Promise.withResolvers<EdgeCopy>();
  readonly #asks = new Map<string, Asked>();
  readonly #counters: Counters;
  readonly #touched = new Map<string, number>();
  readonly #resolver: TokenResolver;
  readonly #sessions: Remembered<FoundSession>;
  readonly #pairs: Remembered<EdgePair>;
  #identity: VisitorIdentity | undefined;
  #copy: EdgeCopy | undefined;
  #keys: ToldKeys | undefined;
  #awaySince: number | null = null;
  #asked = 0;
  #used = new Set<string>();
  #reported = "";
  #reportedAt = 0;

  constructor(parts: ControlLineParts) {
    this.#parts = parts;
    this.first = this.#begun.promise;
    this.#counters = new Counters(parts.clock, parts.random);
    this.#sessions = new Remembered(
      () => parts.clock.monotonic(),
      (id) => this.#session(id),
    );
    this.#pairs = new Remembered(
      () => parts.clock.monotonic(),
      (key) => this.#pair(askedBy(key)),
    );
    this.#resolver = new TokenResolver({
      directory: { find: (hash) => this.#token(hash), touch: (id) => this.#touch(id) },
      clock: parts.clock,
      onTouchFailed: () => {}, // It is only said, and nothing of that fails.
    });
  }

  // ---- what the server says

  take(message: ForEdge): void {
    switch (message.type) {
      case "copy":
        return this.#takeCopy(new EdgeCopy(message));
      case "tick":
        return;
      case "tell":
        return this.#parts.onTold(message.request, message.told);
      case "woken":
      case "synced":
      case "token":
      case "session":
      case "pair":
      case "challenge":
        if (message.type === "token" && message.found !== null) this.#known.keep(message.hash, message.found);
        if (message.type === "pair" && message.found !== null) this.#known.keepPair(message.asked, message.found);
        this.#asks.get(message.ask)?.settle(message);
        this.#asks.delete(message.ask);
        return;
      default:
        this.#known.apply(message);
        if (message.type === "tier" || message.type === "token-changed") this.#resolver.forget();
        if (message.type === "keys") this.#keys?.take(keysOf(this.#known));
        if (message.type === "address") void this.#parts.onAddress(message.address);
        if (message.type === "port") void this.#parts.onPort(message.port, message.mark);
    }
  }

  /** `since`: in milliseconds since 1970; null: it is there. */
  away(since: number | null): void {
    this.#awaySince = since;
    if (since === null) return;
    const asks = [...this.#asks.values()];
    this.#asks.clear();
    for (const { settle } of asks) settle(undefined);
  }

  async openAddresses(): Promise<void> {
    await this.#open(this.#known);
  }

  /** Tells what is new. */
  report(name: string, busy: EdgeReport["busy"]): void {
    // What was counted meanwhile is told when somebody is there to hear it.
    if (this.#awaySince !== null) return;
    const now = this.#parts.clock.monotonic();
    const said: EdgeReport = {
      ...{ type: "report", name, got: this.#known.n, busy },
      used: [...this.#used],
      counted: this.#counters.take(),
    };
    const text = JSON.stringify(said);
    if (text === this.#reported && now - this.#reportedAt < quietReportEveryMs) return;
    this.#reported = text;
    this.#reportedAt = now;
    this.#used = new Set();
    this.#parts.say(said);
  }

  /** That it is away and since when, and what follows. */
  awaySays(what: string): string {
    const since = this.#awaySince;
    const says =
      since === null ? "The control plane does not answer." : `The control plane is away since ${iso(instant(since))}.`;
    return `${says} ${what}`;
  }

  // ---- what the edge asks

  find(host: string): SpaceRoute | undefined {
    return this.#known.find(host);
  }

  used(space: string): void {
    this.#used.add(space);
  }

  isPrivate(space: string): boolean {
    return this.#known.route(space)?.private === true;
  }

  line(replica: string): number | undefined {
    const line = this.#known.line(replica);
    // Its connections go through the server.
    return line !== 0 && this.#awaySince !== null ? undefined : line;
  }

  /** The server carries connections to other machines: one may break here before it is told that its line is lost. */
  lineSettled(replica: string): Promise<void> | undefined {
    if (this.#known.line(replica) === 0) return undefined;
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(late);
        resolve();
      };
      const ask = this.#ask(settle);
      const late = setTimeout(() => {
        if (ask !== undefined) this.#asks.delete(ask);
        resolve();
      }, settleWithinMs);
      if (ask === undefined) return settle();
      this.#parts.say({ type: "sync", ask });
    });
  }

  wake(space: string, account: string | null, gone: AbortSignal): Promise<SpaceRoute | undefined> {
    return new Promise((resolve) => {
      const ask = this.#ask((answer) => {
        if (answer?.type === "woken") resolve(answer.route ?? undefined);
        else resolve(this.#cannotWake(space));
      });
      if (ask === undefined) return resolve(this.#cannotWake(space));
      gone.addEventListener("abort", () => {
        this.#asks.delete(ask);
        this.#parts.say({ type: "unwake", ask });
      });
      this.#parts.say({ type: "wake", ask, space, account });
    });
  }

  count(what: Parameters<StrangerCounter["count"]>[0]): string {
    return this.#counters.count(what);
  }

  readonly identity: VisitorIdentity = {
    resolve: (credentials) => {
      const resolved = this.#visitors.resolve(credentials);
      return resolved instanceof Promise ? resolved.catch(refusedAway) : resolved;
    },
    mint: (input) => this.#visitors.mint(input),
  };

  /** Certificates are the server's to have; what it said last is shown while it is away. */
  readonly pairs: TlsPairs = {
    pairFor: ({ name = null, address }) => this.#pairs.find(pairKey({ name, address })),
    challenge: (token) => this.#challenge(token),
  };

  // ---- small things

  get #known(): EdgeCopy {
    assert(this.#copy !== undefined, "a worker opens its edge when it has a copy");
    return this.#copy;
  }

  get #visitors(): VisitorIdentity {
    assert(this.#identity !== undefined, "a worker opens its edge when it has a copy");
    return this.#identity;
  }

  #takeCopy(copy: EdgeCopy): void {
    this.#copy = copy;
    const keys = new ToldKeys(keysOf(copy));
    this.#keys = keys;
    this.#resolver.forget();
    this.#identity = visitorIdentity({
      resolver: this.#resolver,
      keys,
      clock: this.#parts.clock,
      ownerTier: (owner) => this.#known.tier(owner),
      sessions: { byId: async (id) => standing(await this.#sessions.find(id), this.#parts.clock.wall()) },
      visitKey: new Uint8Array(Buffer.from(copy.terms.visitKey, "base64url")),
      reads: (account, owner) => this.#known.reads(account, owner),
      plainProcesses: copy.terms.plainProcesses,
    });
    this.#begun.resolve(copy);
    void this.#open(copy);
  }

  async #open({ addresses, ports }: EdgeCopy): Promise<void> {
    for (const address of addresses) await this.#parts.onAddress(address);
    for (const [port, mark] of ports) await this.#parts.onPort(port, mark);
  }

  #cannotWake(space: string): SpaceRoute | undefined {
    const route = this.#known.route(space);
    if (route === undefined) return undefined;
    const says = this.awaySays("It starts what is asleep, and only it can.");
    return { ...route, state: { kind: "down", code: "route/control-down", says, retryAfterMs: awayRetryMs } };
  }

  #token(hash: string): Promise<FoundToken | undefined> {
    const known = this.#known.token(hash);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const away = (): void =>
        reject(new ControlAway(this.awaySays("This token was not seen here before, and only it knows whose it is.")));
      const ask = this.#ask((answer) => {
        if (answer?.type !== "token") return away();
        resolve(answer.found ?? undefined);
      });
      if (ask === undefined) return away();
      this.#parts.say({ type: "find-token", ask, hash });
    });
  }

  /** Asked for anew each second: nothing is remembered of one that may have ended while nobody could tell. */
  #session(id: string): Promise<FoundSession | undefined> {
    return new Promise((resolve, reject) => {
      const away = (): void =>
        reject(new ControlAway(this.awaySays("Only it knows whether a session at the console goes on.")));
      const ask = this.#ask((answer) => {
        if (answer?.type !== "session") return away();
        resolve(answer.found ?? undefined);
      });
      if (ask === undefined) return away();
      this.#parts.say({ type: "find-session", ask, id });
    });
  }

  #pair(asked: PairAsked): Promise<EdgePair | undefined> {
    return new Promise((resolve) => {
      const settle = (answer: ForEdge | undefined): void => {
        const isNone = answer?.type === "pair" && answer.found === null;
        resolve(isNone ? undefined : this.#known.pair(asked));
      };
      const ask = this.#ask(settle);
      if (ask === undefined) return settle(undefined);
      this.#parts.say({ type: "find-pair", ask, asked });
    });
  }

  #challenge(token: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const ask = this.#ask((answer) =>
        resolve(answer?.type === "challenge" ? (answer.answer ?? undefined) : undefined),
      );
      if (ask === undefined) return resolve(undefined);
      this.#parts.say({ type: "find-challenge", ask, token });
    });
  }

  async #touch(id: string): Promise<void> {
    const now = this.#parts.clock.monotonic();
    const last = this.#touched.get(id);
    if (last !== undefined && now - last < touchEveryMs) return;
    if (this.#touched.size >= asksMax) this.#touched.clear();
    this.#touched.set(id, now);
    this.#parts.say({ type: "touch-token", id });
  }

  /** Undefined where nobody is there to be asked. */
  #ask(settle: Asked["settle"]): string | undefined {
    if (this.#awaySince !== null || this.#asks.size >= asksMax) return undefined;
    const ask = String(++this.#asked);
    this.#asks.set(ask, { settle });
    return ask;
  }
}

function refusedAway(error: unknown): IdentityRefusal {
  if (!(error instanceof ControlAway)) throw error;
  return { refused: "route/control-down", detail: error.message };
}

/** Of {@link pairKey}. */
function askedBy(key: string): PairAsked {
  const [name = "", address = ""] = key.split(" ");
  return { name: name === "" ? null : name, address };
}

function keysOf({ keys }: EdgeCopy): readonly VisitorKey[] {
  return keys.map(({ kid, key }) => ({ kid, key: new Uint8Array(Buffer.from(key, "base64url")) }));
}
