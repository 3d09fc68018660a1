/** Whether an address may be a webhook's, as far as its text tells: what it resolves to is judged when it is dialled. Pure. */
import { isIP } from "node:net";

/** Longer ones are no address that somebody typed; it is in each row and log. */
export const addressMax = 2_000;

export interface AddressRules {
  /** Null where the platform reaches this IP address, else why it does not. */
  denies(address: string): string | null;
}

/** What is wrong with it, and what to do; undefined where nothing is. */
export function refuseAddress(text: string, { denies }: AddressRules): string | undefined {
  if (text.length > addressMax) return `A webhook's address may have ${addressMax} characters.`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" && url?.protocol !== "http:")
    return "Write the webhook's address as https://HOST/PATH.";
  if (url.username !== "" || url.password !== "")
    return "The address has a name or a password in it: put what proves who calls into the path, or verify the signature.";
  if (url.hash !== "") return "The address has a part behind #, which is never sent: leave it out.";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const address = isIP(host) === 0 ? null : host;
  if (url.protocol === "http:" && !isLoopback(host))
    return "http carries what is told in the clear: write https. Only this machine itself may be reached by http.";
  const known = address ?? (host === "localhost" ? "127.0.0.1" : null);
  const rule = known === null ? null : denies(known);
  if (rule === null) return undefined;
  return `The platform does not reach ${host} (${rule}): write an address on the internet, or ask the operator to allow this one.`;
}

/** Whether it is this machine, by its name or number. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
