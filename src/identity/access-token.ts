/** Access tokens: what a client sends as `Authorization: Bearer`. Shown once, kept only as a hash. */
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { secretHash } from "./secret-text.ts";

/** Clients of the Hub accept only tokens that begin with `hf_`; what follows makes ours recognisable in a leak. */
const prefix = "hf_wb";
/** 160 random bits: nobody guesses one, so the hash needs no salt. */
const randomBytes = 20;

/** A fresh token: `hf_wb` and 32 characters. */
export function newAccessToken(random: RandomBytes): string {
  return `${prefix}${base32(random(randomBytes))}`;
}

/** Whether `text` has the form of our tokens; anything else need not be looked up. */
export function isAccessToken(text: string): boolean {
  return /^hf_wb[0-9a-hjkmnp-tv-z]{32}$/.test(text);
}

/** What is stored: SHA-256 in hexadecimal. */
export function accessTokenHash(token: string): string {
  return secretHash(token);
}
