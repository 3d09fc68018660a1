/**
 * Device codes (RFC 8628): a program without a browser asks, a person answers on the console by a short code, and the program is
 * given what the answer says, once. Kept in memory alone: one that a restart forgets is asked for again, and no secret lies anywhere.
 */
import { assert } from "../stdx/assert.ts";
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { seconds } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { addressAccount } from "./caller-address.ts";
import { secretHash } from "./secret-text.ts";
import type { Scope } from "./token-resolver.ts";

/** What a program says of itself; all of it but the address is its own word. */
export interface DeviceAsk {
  readonly client: DeviceClient;
  /** The machine that it says it is on; null where it does not say. */
  readonly machine: string | null;
  /** Null where nothing tells it. */
  readonly address: string | null;
  readonly scopes: readonly Scope[];
}

/** Programs that may ask so. */
export type DeviceClient = "waybill" | "hf";

/** `approving`: an answer is under way. `claimed`: its token is given out. */
type Stage =
  | { readonly at: "waiting" | "approving" | "denied" }
  | { readonly at: "approved" | "claimed"; readonly token: string; readonly account: string };

export interface Device extends DeviceAsk {
  /** As it is shown: `BCDF-GHJK`. */
  readonly userCode: string;
  readonly until: number;
}

interface Held {
  readonly device: Device;
  /** As coarse as one household gets its address. */
  readonly whose: string;
  stage: Stage;
  polledAt: number | null;
  intervalMs: number;
}

/** What a program that polls is told: the words of RFC 8628 (3.5) and RFC 6749 (5.2), or that the token is its to take. */
export type Polled =
  | { readonly kind: "error"; readonly error: PollError }
  | { readonly kind: "claimed"; readonly token: string; readonly account: string }
  /** Somebody had the token before: it is to be revoked. */
  | { readonly kind: "again"; readonly token: string; readonly account: string };

export type PollError = "authorization_pending" | "slow_down" | "access_denied" | "expired_token" | "invalid_grant";

/** So long a person has to answer, as §3.2 has it. */
export const deviceCodeLivesMs = seconds(600);
/** A program asks no more often; §3.5 adds as much for each time that it does. */
export const pollIntervalMs = seconds(5);
/** Of one address, and of all, at once: what a household starts, and some hundred kilobytes. */
const ofAddressMax = 20;
const allMax = 2_000;
/** Beyond them, for addresses where somebody has signed in: strangers of however many others do not take those. */
const ofKnownMax = 500;
/** One that has ended is told as such for so long again, and unknown from then on. */
const endedKeptMs = deviceCodeLivesMs;
/** Wrong codes of one account before it has to wait. */
const missesMax = 10;
const missesForgottenMs = seconds(600);
/** Consonants: no word, nothing that looks like another (§6.1). 20^8 codes, of which some thousand are there. */
const letters = "BCDFGHJKLMNPQRSTVWXZ";
const userCodeLetters = 8;
const deviceCodeBytes = 20;

export class DeviceCodes {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #byUser = new Map<string, Held>();
  readonly #byDevice = new Map<string, Held>();
  readonly #misses = new Map<string, { count: number; readonly until: number }>();

  constructor({ clock, random }: { clock: Clock; random: RandomBytes }) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Undefined where too many wait, of that address or in all. `isKnown`: somebody has signed in from that address. */
  begin(
    ask: DeviceAsk,
    { isKnown = false }: { readonly isKnown?: boolean } = {},
  ): { readonly deviceCode: string; readonly device: Device } | undefined {
    const now = this.#clock.monotonic();
    const living = [...this.#byDevice.values()].filter(({ device }) => now < device.until);
    const whose = addressAccount(ask.address ?? undefined);
    const ofAddress = living.filter((held) => held.whose === whose);
    if (living.length >= allMax + (isKnown ? ofKnownMax : 0) || ofAddress.length >= ofAddressMax) return undefined;
    const deviceCode = `wbd_${base32(this.#random(deviceCodeBytes))}`;
    const device: Device = { ...ask, userCode: this.#userCode(), until: now + deviceCodeLivesMs };
    const held: Held = { device, whose, stage: { at: "waiting" }, polledAt: null, intervalMs: pollIntervalMs };
    this.#byUser.set(lettersOf(device.userCode), held);
    this.#byDevice.set(secretHash(deviceCode), held);
    return { deviceCode, device };
  }

  /** The one that waits under a code as a person typed it. `many`: this account has to wait before it tries another. */
  find(typed: string, account: string): Device | "none" | "many" {
    const now = this.#clock.monotonic();
    const misses = this.#missesOf(account);
    if (misses >= missesMax) return "many";
    const held = this.#byUser.get(lettersOf(typed));
    if (held?.stage.at === "waiting" && now < held.device.until) return held.device;
    this.#miss(account);
    return "none";
  }

  /** Takes the answer to a code that {@link DeviceCodes.find} gave: `approve` makes the token, and nobody else answers meanwhile. */
  async approve(
    device: Device,
    make: () => Promise<{ readonly token: string; readonly account: string } | undefined>,
  ): Promise<boolean> {
    const held = this.#byUser.get(lettersOf(device.userCode));
    if (held?.stage.at !== "waiting") return false;
    held.stage = { at: "approving" };
    try {
      const made = await make();
      held.stage = made ? { at: "approved", ...made } : { at: "waiting" };
      return made !== undefined;
    } finally {
      if (held.stage.at === "approving") held.stage = { at: "waiting" };
    }
  }

  deny(device: Device): boolean {
    const held = this.#byUser.get(lettersOf(device.userCode));
    if (held?.stage.at !== "waiting") return false;
    held.stage = { at: "denied" };
    return true;
  }

  poll(deviceCode: string, client: DeviceClient): Polled {
    const now = this.#clock.monotonic();
    const held = this.#byDevice.get(secretHash(deviceCode));
    // A code is its client's alone (RFC 6749, 5.2: "issued to another client").
    if (!held || held.device.client !== client) return { kind: "error", error: "invalid_grant" };
    const { stage } = held;
    if (stage.at === "claimed") return { kind: "again", token: stage.token, account: stage.account };
    if (now >= held.device.until) return { kind: "error", error: "expired_token" };
    if (stage.at === "denied") return { kind: "error", error: "access_denied" };
    const isEarly = held.polledAt !== null && now - held.polledAt < held.intervalMs;
    held.polledAt = now;
    if (isEarly) {
      held.intervalMs += pollIntervalMs;
      return { kind: "error", error: "slow_down" };
    }
    if (stage.at !== "approved") return { kind: "error", error: "authorization_pending" };
    held.stage = { ...stage, at: "claimed" };
    return { kind: "claimed", token: stage.token, account: stage.account };
  }

  /** Forgets what ended; tokens that were made and that nobody came for, so that they are revoked. */
  sweep(): readonly string[] {
    const now = this.#clock.monotonic();
    for (const [account, { until }] of this.#misses) if (now >= until) this.#misses.delete(account);
    const unclaimed: string[] = [];
    for (const [hash, held] of this.#byDevice) {
      if (now < held.device.until) continue;
      this.#byUser.delete(lettersOf(held.device.userCode));
      if (held.stage.at === "approved") {
        unclaimed.push(held.stage.token);
        held.stage = { at: "denied" };
      }
      if (now >= held.device.until + endedKeptMs) this.#byDevice.delete(hash);
    }
    return unclaimed;
  }

  #missesOf(account: string): number {
    const found = this.#misses.get(account);
    return found && this.#clock.monotonic() < found.until ? found.count : 0;
  }

  #miss(account: string): void {
    const count = this.#missesOf(account) + 1;
    const until = this.#misses.get(account)?.until ?? 0;
    const now = this.#clock.monotonic();
    this.#misses.set(account, { count, until: count === 1 ? now + missesForgottenMs : until });
  }

  #userCode(): string {
    for (let tries = 0; tries < 10; tries++) {
      const code = this.#letters();
      if (!this.#byUser.has(code)) return `${code.slice(0, userCodeLetters / 2)}-${code.slice(userCodeLetters / 2)}`;
    }
    assert(false, "of 20^8 codes ten in a row are taken");
  }

  /** Each letter as likely as the others: a byte beyond the last whole twenty is drawn again. */
  #letters(): string {
    let code = "";
    while (code.length < userCodeLetters) {
      for (const byte of this.#random(userCodeLetters * 2)) {
        if (byte < Math.floor(256 / letters.length) * letters.length && code.length < userCodeLetters)
          code += letters[byte % letters.length];
      }
    }
    return code;
  }
}

/** Of a typed code what counts: neither case nor dashes, spaces or dots do (§6.1). */
function lettersOf(typed: string): string {
  return typed
    .toUpperCase()
    .replace(/[^A-Z]/g, "")
    .slice(0, userCodeLetters + 1);
}
