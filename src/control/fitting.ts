/** Whether a release's packages run on its node's cards, asked before each call: cards and drivers change after a build. */
import { compare } from "../build/runtime-contract.ts";
import type { CardFacts, Misfit, PackageFacts } from "../build/runtime-contract.ts";
import type { Releases } from "../catalog/builds.ts";

/** Releases whose packages are remembered; others are read again. */
const rememberedMax = 1_000;

export class Fitting {
  readonly #releases: Pick<Releases, "get">;
  readonly #facts = new Map<string, Promise<PackageFacts>>();

  constructor(releases: Pick<Releases, "get">) {
    this.#releases = releases;
  }

  /** What keeps the release from all of these cards; undefined where one may do. */
  async misfit(release: string, cards: readonly CardFacts[]): Promise<Misfit | undefined> {
    if (cards.every(({ simulated }) => simulated)) return undefined;
    return compare(await this.#factsOf(release), cards).misfit;
  }

  #factsOf(release: string): Promise<PackageFacts> {
    const known = this.#facts.get(release);
    if (known) return known;
    const facts = this.#releases.get(release).then((row) => row?.manifest.runtime ?? { torch: null });
    this.#facts.set(release, facts);
    facts.catch(() => this.#facts.delete(release)); // Told to who asked; the next one reads it again.
    const oldest = this.#facts.keys().next().value;
    if (this.#facts.size > rememberedMax && oldest !== undefined) this.#facts.delete(oldest);
    return facts;
  }
}
