/**
 * Addresses of a name, as this machine's hosts file and name servers give them. Asked without the system's `getaddrinfo`: that holds
 * a thread for as long as a name server is silent, and an app chooses its names, so a few such names would keep all others waiting.
 */
import { Resolver } from "node:dns/promises";
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Rejects with the resolver's `code`: ENOTFOUND, ENODATA, ESERVFAIL, ETIMEOUT … */
export type Resolve = (name: string) => Promise<readonly string[]>;

export interface ResolverFiles {
  readonly hosts: string;
  /** What the name servers are read from; a change makes them be read again. */
  readonly servers: string;
}

const systemFiles: ResolverFiles = { hosts: "/etc/hosts", servers: "/etc/resolv.conf" };
/** Each name server is asked twice; a distant one answers within half a second. */
const askedMs = 2_000;
const tries = 2;
/** Once one family's addresses are there, the other's are waited for so long; name servers that never answer AAAA exist. */
const otherFamilyWithinMs = 250;

/** `open` makes what asks the name servers that are configured at that moment. */
export function systemResolver(files: ResolverFiles = systemFiles, open: () => Resolver = openResolver): Resolve {
  const hosts = whenChanged(files.hosts, async (path) => parseHosts(await readFile(path, "utf8")), new Map());
  const resolver = whenChanged(files.servers, open, open());
  return async (name) => {
    if (isIP(name) !== 0) return [name];
    const own = (await hosts()).get(name);
    return own ?? askBoth(await resolver(), name);
  };
}

/** `address name name…` a line, `#` begins a comment. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names.map((one) => one.toLowerCase())) found.set(name, [...(found.get(name) ?? []), address]);
  }
  return found;
}

function openResolver(): Resolver {
  return new Resolver({ timeout: askedMs, tries });
}

async function askBoth(resolver: Resolver, name: string): Promise<readonly string[]> {
  const found: string[] = [];
  const errors: NodeJS.ErrnoException[] = [];
  const both = [resolver.resolve4(name), resolver.resolve6(name)].map((answer) =>
    answer.then(
      (addresses) => void found.push(...addresses),
      (error: unknown) => void errors.push(error as NodeJS.ErrnoException),
    ),
  );
  await Promise.race(both);
  const limit = found.length > 0 ? [delay(otherFamilyWithinMs, undefined, { ref: false })] : [];
  await Promise.race([Promise.all(both), ...limit]);
  if (found.length > 0) return [...found];
  // No address of one family says less than why the other family's could not be learned.
  throw errors.find(({ code }) => code !== "ENODATA") ?? errors[0] ?? new Error(`${name} was not answered`);
}

/** What was made of a file, made again when the file was changed; `absent` where there is none. */
function whenChanged<T>(path: string, make: (path: string) => T | Promise<T>, absent: T): () => Promise<T> {
  let known: { readonly changedMs: number; readonly value: T } | undefined;
  return async () => {
    try {
      const { mtimeMs } = await stat(path);
      if (known?.changedMs !== mtimeMs) known = { changedMs: mtimeMs, value: await make(path) };
      return known.value;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return absent;
      throw error;
    }
  };
}
