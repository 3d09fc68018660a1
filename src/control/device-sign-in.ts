/**
 * Signs programs in by the device flow: what they ask is answered by a person on the console, and the token is that person's, no
 * stronger than they are. It is made with their word, and the program is given its secret later: nobody holds one meanwhile.
 */
import type { Scope } from "../identity/token-resolver.ts";
import { addressGroup } from "../http/address-group.ts";
import { deviceCodeLivesMs, DeviceCodes } from "../identity/device-codes.ts";
import type { Device, DeviceAsk, DeviceClient, PollError } from "../identity/device-codes.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { AccessTokens } from "./access-tokens.ts";
import type { Caller } from "./caller.ts";
import { no } from "./spaces.ts";
import type { Refused } from "./spaces.ts";

/** A program that is signed in so asks again after so long: what is forgotten on some machine ends by itself. */
export const deviceTokenLivesMs = 90 * 24 * 3_600_000;

/** Who signs in meanwhile is known a little later. */
const placesKnownForMs = 10_000;

export interface DeviceSignInParts {
  readonly catalog: Catalog;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  readonly random: RandomBytes;
  onFailure(what: string, error: unknown): void;
}

export interface DeviceApproved {
  readonly ok: true;
  readonly device: Device;
  readonly token: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Instant | null;
}

export type DevicePolled =
  | { readonly secret: string; readonly expiresAt: Instant | null }
  | { readonly error: PollError };

export class DeviceSignIn {
  readonly #parts: DeviceSignInParts;
  readonly #codes: DeviceCodes;
  #places: { readonly groups: Promise<ReadonlySet<string | undefined>>; readonly until: number } | undefined;

  constructor(parts: DeviceSignInParts) {
    this.#parts = parts;
    this.#codes = new DeviceCodes(parts);
  }

  async begin(ask: DeviceAsk): Promise<{ readonly deviceCode: string; readonly device: Device } | undefined> {
    this.#sweep();
    return this.#codes.begin(ask) ?? this.#codes.begin(ask, { isKnown: await this.#isKnown(ask.address) });
  }

  /** Whether anybody has signed in at the console from there lately. It is asked while a flood goes on, so it is asked seldom. */
  async #isKnown(address: string | null): Promise<boolean> {
    const { catalog, clock } = this.#parts;
    const now = clock.monotonic();
    if (this.#places === undefined || now >= this.#places.until) {
      const groups = catalog.sessions.places().then((all) => new Set(all.map(addressGroup)));
      this.#places = { groups, until: now + placesKnownForMs };
      groups.catch(() => (this.#places = undefined)); // Told to whoever asked; the next one asks again.
    }
    const group = addressGroup(address ?? undefined);
    return group !== undefined && (await this.#places.groups).has(group);
  }

  /** What waits under the code that a person typed. */
  find(typed: string, by: Caller): { readonly ok: true; readonly device: Device } | Refused {
    const found = this.#codes.find(typed, by.account);
    if (found === "many")
      return no(
        "capacity/rate-limited",
        "You typed ten codes that nothing waits under. Wait ten minutes, then try again.",
      );
    if (found === "none")
      return no(
        "control/not-found",
        `Nothing waits under that code. It holds for ${deviceCodeLivesMs / 60_000} minutes and for one answer: check it, or start the sign-in again.`,
      );
    return { ok: true, device: found };
  }

  async approve(typed: string, by: Caller): Promise<DeviceApproved | Refused> {
    const found = this.find(typed, by);
    if (!found.ok) return found;
    const { device } = found;
    const scopes = granted(device, by);
    if (scopes.length === 0)
      return no("identity/forbidden", `You may give nothing of what it asks for: ${device.scopes.join(", ")}.`);
    let made: Awaited<ReturnType<AccessTokens["create"]>> | undefined;
    const isDone = await this.#codes.approve(device, async () => {
      const wish = { account: by.account, name: nameOf(device), scopes, expiresInMs: deviceTokenLivesMs };
      made = await this.#parts.tokens.create(wish, by);
      return made.ok ? { token: made.id, account: by.account } : undefined;
    });
    if (made && !made.ok) return made;
    if (!isDone || made === undefined) return answered();
    return { ok: true, device, token: made.id, scopes, expiresAt: await this.#endOf(made.id) };
  }

  deny(typed: string, by: Caller): { readonly ok: true; readonly device: Device } | Refused {
    const found = this.find(typed, by);
    if (!found.ok) return found;
    return this.#codes.deny(found.device) ? found : answered();
  }

  /** The token's secret, once; or how RFC 8628 says that there is none. */
  async poll(deviceCode: string, client: DeviceClient): Promise<DevicePolled> {
    this.#sweep();
    const polled = this.#codes.poll(deviceCode, client);
    if (polled.kind === "error") return polled;
    if (polled.kind === "claimed")
      return { secret: await this.#parts.tokens.renew(polled.token), expiresAt: await this.#endOf(polled.token) };
    // Two have the code: which of them is the person's cannot be known, so neither keeps the token.
    await this.#parts.tokens.withdraw(polled.token);
    return { error: "invalid_grant" };
  }

  async #endOf(token: string): Promise<Instant | null> {
    return (await this.#parts.catalog.tokens.get(token))?.expiresAt ?? null;
  }

  /** Tokens that nobody came for: nobody has their secret either, so this only tidies their owner's list. */
  #sweep(): void {
    for (const token of this.#codes.sweep())
      void this.#parts.tokens
        .withdraw(token)
        .catch((error: unknown) => this.#parts.onFailure(`revoking ${token}, which no program came for`, error));
  }
}

/** Of what the program asks, what that person's sign-in may hand on. */
export function granted({ scopes }: DeviceAsk, by: Caller): readonly Scope[] {
  return scopes.filter((scope) => by.scopes.includes(scope) && (scope !== "admin" || by.admin));
}

/** What the token is called in lists: the program, and the machine as it calls itself, else where it asked from. */
export function nameOf({ client, machine, address }: DeviceAsk): string {
  const where = machine ?? address;
  return where === null ? client : `${client} on ${where}`;
}

const answered = (): Refused => no("control/conflict", "That code has been answered already.");
