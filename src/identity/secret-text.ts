/** Random secrets that are texts: the hash by which one is kept and found, and whether two are the same. */
import { hash, timingSafeEqual } from "node:crypto";

/** SHA-256 in hexadecimal: nobody guesses 160 random bits, so it needs neither salt nor time. */
export function secretHash(secret: string): string {
  return hash("sha256", secret);
}

/** In a time that tells nothing of where they differ. */
export function sameSecret(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
