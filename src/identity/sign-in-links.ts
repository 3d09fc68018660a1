/** Links that sign a browser in once, for a few minutes: the platform prints one at its start. Known by their hashes, in memory alone. */
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { secretHash } from "./secret-text.ts";

/** Until whoever has started the platform looks at its first lines. */
export const linkLastsMs = 15 * 60_000;
/** 160 random bits. */
const codeBytes = 20;
/** That hold at once; beyond it the oldest is forgotten. */
const linksMax = 100;

export class SignInLinks {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #random: RandomBytes;
  readonly #links = new Map<string, { readonly account: string; readonly until: number }>();

  constructor(clock: Pick<Clock, "monotonic">, random: RandomBytes) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The code of a fresh link. */
  make(account: string): string {
    const code = base32(this.#random(codeBytes));
    this.#links.set(secretHash(code), { account, until: this.#clock.monotonic() + linkLastsMs });
    if (this.#links.size > linksMax) this.#links.delete(this.#links.keys().next().value ?? "");
    return code;
  }

  /** Whose link it is; it is used up. Looked up by its hash, whose place tells nobody anything of a code. */
  take(code: string): string | undefined {
    const hash = secretHash(code);
    const link = this.#links.get(hash);
    this.#links.delete(hash);
    return link && this.#clock.monotonic() < link.until ? link.account : undefined;
  }
}
