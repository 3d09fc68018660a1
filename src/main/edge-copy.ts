/** An edge's copy of what the server knows: by it requests are carried while no server is there. */
import { pairKey } from "../contract/edge.ts";
import type { Change, Copy, CopiedSpace, EdgeKey, EdgePair, EdgeTerms, PairAsked, ToEdge } from "../contract/edge.ts";
import type { TierName } from "../core/model.ts";
import type { CallTold, SpaceRoute } from "../edge/index.ts";
import type { FoundSession } from "../identity/sessions.ts";
import type { FoundToken } from "../identity/token-resolver.ts";
import { assert } from "../stdx/assert.ts";

export type FullCopy = Copy<SpaceRoute, FoundToken>;
export type EdgeChange = Change<SpaceRoute>;
export type ForEdge = ToEdge<SpaceRoute, FoundToken, CallTold, FoundSession>;
export type Copied = CopiedSpace<SpaceRoute>;

/** Tokens kept, some 400 bytes each: beyond it the one that was learned first is asked for again. */
const tokensMax = 10_000;
/** Names with their certificates, some 5 kB each of these: whoever calls may ask for as many names as the server has. */
const pairsMax = 4_096;

/** A change is missing before this one. */
export class CopyGap extends Error {
  override readonly name = "CopyGap";
}

export class EdgeCopy {
  #n: number;
  readonly terms: EdgeTerms;
  #keys: readonly EdgeKey[];
  readonly addresses: Set<string>;
  /** Spaces' own, with the marks of their cookies. */
  readonly ports: Map<number, string>;
  readonly #spaces: Map<string, Copied>;
  readonly #byHost = new Map<string, Copied>();
  readonly #lines = new Map<string, number | null>();
  readonly #tiers: Map<string, string>;
  readonly #members: Map<string, ReadonlySet<string>>;
  readonly #tokens: Map<string, FoundToken>;
  readonly #pairs: Map<string, EdgePair>;

  constructor({ n, terms, keys, spaces, tiers, members, addresses, ports, tokens, pairs }: FullCopy) {
    this.#n = n;
    this.terms = terms;
    this.#keys = keys;
    this.addresses = new Set(addresses);
    this.ports = new Map(ports);
    this.#spaces = new Map();
    this.#tiers = new Map(tiers);
    this.#members = new Map(members.map(([organisation, accounts]) => [organisation, new Set(accounts)]));
    this.#tokens = new Map(tokens);
    const known = new Map(pairs.map(([, pair]) => [pair.cert, pair]));
    this.#pairs = new Map(pairs.map(([asked, pair]) => [asked, known.get(pair.cert) ?? pair]));
    for (const space of spaces) this.#put(space);
  }

  /** The last change that is in it. */
  get n(): number {
    return this.#n;
  }

  /** Throws a {@link CopyGap} where one before it is missing. */
  apply(change: EdgeChange): void {
    if (change.n !== this.#n + 1) throw new CopyGap(`change ${change.n} follows ${this.#n}`);
    this.#n = change.n;
    switch (change.type) {
      case "space":
        return this.#put(change.space);
      case "space-gone":
        return this.#drop(change.id);
      case "tier":
        return this.#setTier(change.account, change.tier);
      case "members":
        this.#members.set(change.organisation, new Set(change.accounts));
        return;
      case "token-changed":
        for (const [hash, { token }] of this.#tokens) if (token.id === change.id) this.#tokens.delete(hash);
        return;
      case "keys":
        this.#keys = change.keys;
        return;
      case "address":
        this.addresses.add(change.address);
        return;
      case "port":
        this.ports.set(change.port, change.mark);
    }
  }

  /** Of visitors' tokens, the one to mint with first. */
  get keys(): readonly EdgeKey[] {
    return this.#keys;
  }

  find(host: string): SpaceRoute | undefined {
    return this.#byHost.get(host)?.route;
  }

  route(space: string): SpaceRoute | undefined {
    return this.#spaces.get(space)?.route;
  }

  /** As {@link EdgeOptions.line} asks. */
  line(replica: string): number | undefined {
    const line = this.#lines.get(replica);
    return line === undefined ? 0 : (line ?? undefined);
  }

  tier(account: string): TierName {
    return (this.#tiers.get(account) ?? "free") as TierName;
  }

  /** Whether the account is the owner, or a member of the organisation that is. */
  reads(account: string, owner: string): boolean {
    return account === owner || this.#members.get(owner)?.has(account) === true;
  }

  token(hash: string): FoundToken | undefined {
    return this.#tokens.get(hash);
  }

  keep(hash: string, found: FoundToken): void {
    keepLast(this.#tokens, tokensMax, hash, found);
  }

  /** What was shown last to who asked so. */
  pair(asked: PairAsked): EdgePair | undefined {
    return this.#pairs.get(pairKey(asked));
  }

  /**
   * One object for each certificate, whoever asks for it and by which name: what was made of it holds on, and whoever makes up names under
   * one that stands for all has nothing made.
   */
  keepPair(asked: PairAsked, found: EdgePair): EdgePair {
    const kept = this.#pairs.values().find(({ cert, key }) => cert === found.cert && key === found.key) ?? found;
    keepLast(this.#pairs, pairsMax, pairKey(asked), kept);
    return kept;
  }

  /** As a worker that begins is told it. */
  whole(): FullCopy {
    return {
      type: "copy",
      n: this.#n,
      terms: this.terms,
      keys: this.#keys,
      spaces: [...this.#spaces.values()],
      tiers: [...this.#tiers],
      members: [...this.#members].map(([organisation, accounts]) => [organisation, [...accounts]] as const),
      addresses: [...this.addresses],
      ports: [...this.ports],
      tokens: [...this.#tokens],
      pairs: [...this.#pairs],
    };
  }

  #put(space: Copied): void {
    this.#drop(space.space);
    this.#spaces.set(space.space, space);
    for (const host of space.hosts) this.#byHost.set(host, space);
    for (const [replica, line] of Object.entries(space.lines)) this.#lines.set(replica, line);
  }

  #drop(id: string): void {
    const before = this.#spaces.get(id);
    if (before === undefined) return;
    this.#spaces.delete(id);
    for (const host of before.hosts) if (this.#byHost.get(host) === before) this.#byHost.delete(host);
    for (const replica of Object.keys(before.lines)) this.#lines.delete(replica);
  }

  #setTier(account: string, tier: string): void {
    this.#tiers.set(account, tier);
    for (const [hash, { token }] of this.#tokens) if (token.account === account) this.#tokens.delete(hash);
  }
}

/** The one that was kept first goes where it is full. */
function keepLast<Value>(map: Map<string, Value>, most: number, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  assert(oldest !== undefined, "a full map has a first key");
  map.delete(oldest);
}
