/** Our cookie that brings a visitor back to a replica, for apps whose protocol names no session. It never reaches an app, nor can one set it. Pure. */

/** What is not used for so long goes to the least busy replica again. */
const lastsSeconds = 1_800;
/** A cookie that is older is given anew with the next answer. */
const renewAfterSeconds = 600;
const plainName = "waybill_replica";
/** Only its own host over TLS can have set it (RFC 6265bis, §4.1.3.2). */
const secureName = "__Host-waybill-replica";

export interface ReplicaCookie {
  readonly replica: string;
  /** When it was given, in whole seconds. */
  readonly at: number;
}

export function replicaCookieIn(cookies: string | undefined, secure: boolean): ReplicaCookie | undefined {
  if (cookies === undefined) return undefined;
  const name = secure ? secureName : plainName;
  if (!cookies.includes(name)) return undefined;
  for (const pair of cookies.split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    const match = key === name && value !== undefined ? /^([a-z0-9_]{1,64})\.([0-9a-z]{1,9})$/.exec(value) : null;
    if (match) return { replica: match[1] as string, at: Number.parseInt(match[2] as string, 36) };
  }
  return undefined;
}

/** The `Set-Cookie` for who is at this replica; undefined where the visitor's own is good for a while. */
export function replicaCookieFor(
  replica: string,
  {
    had,
    secure,
    wallMs,
  }: { readonly had: ReplicaCookie | undefined; readonly secure: boolean; readonly wallMs: number },
): string | undefined {
  const now = Math.trunc(wallMs / 1000);
  const age = had === undefined ? undefined : now - had.at;
  if (had?.replica === replica && age !== undefined && age >= 0 && age < renewAfterSeconds) return undefined;
  const attributes = `Path=/; Max-Age=${lastsSeconds}; HttpOnly; SameSite=Lax`;
  const value = `${replica}.${now.toString(36)}`;
  return secure ? `${secureName}=${value}; ${attributes}; Secure` : `${plainName}=${value}; ${attributes}`;
}

/** Whether caches of others may keep the answer: a cookie in it would then be everybody's. */
export function isShared(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2)
    if ((rawHeaders[i] as string).toLowerCase() === "cache-control")
      return /(?:^|[\s,])(?:public|s-maxage|immutable)/i.test(rawHeaders[i + 1] as string);
  return false;
}
