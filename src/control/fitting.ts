/** Whether a release's packages run on its node's cards, asked before each call: cards and drivers change after a build. */
import { misfitOf } from "../build/runtime-contract.ts";
import type { CardFacts, Misfit, TorchFacts } from "../build/runtime-contract.ts";
import type { Releases } from "../catalog/builds.ts";

/** Releases whose packages are remembered; others are read again. */
const rememberedMax = 1_000;

export class Fitting {
  readonly #releases: Pick<Releases, "get">;
  readonly #torch = new Map<string, Promise<TorchFacts | null>>();

  constructor(releases: Pick<Releases, "get">) {
    this.#releases = releases;
  }

  /** What keeps the release from all of these cards; undefined where one may do. */
  async misfit(release: string, cards: readonly CardFacts[]): Promise<Misfit | undefined> {
    if (cards.every(({ simulated }) => simulated)) return undefined;
    return misfitOf(await this.#torchOf(release), cards);
  }

  #torchOf(release: string): Promise<TorchFacts | null> {
    const known = this.#torch.get(release);
    if (known) return known;
    const torch = this.#releases.get(release).then((row) => row?.manifest.runtime?.torch ?? null);
    this.#torch.set(release, torch);
    torch.catch(() => this.#torch.delete(release)); // Told to who asked; the next one reads it again.
    const oldest = this.#torch.keys().next().value;
    if (this.#torch.size > rememberedMax && oldest !== undefined) this.#torch.delete(oldest);
    return torch;
  }
}
