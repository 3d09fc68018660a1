/** What ended a push or a fetch that git did not bring to its end, by what git says of it. Pure. */
import type { transferCodes } from "../evidence/transfer-codes.ts";
import { saysDiskFull } from "./errors.ts";

export interface GitEnd {
  readonly code: keyof typeof transferCodes;
  readonly says: string;
}

export interface PushSeen {
  /** git's report: `unpack …`, then `ok REF` or `ng REF WHY`. */
  readonly report: readonly string[];
  /** What git's programs said. */
  readonly said: string;
}

const saysMaxChars = 500;

/** git's own sentences (index-pack, unpack-objects, receive-pack), in English as we start it, and what each is. In this order. */
const unpacking: readonly (readonly [RegExp, GitEnd["code"]])[] = [
  [saysDiskFull, "transfer/disk-full"],
  [/fsck error/, "transfer/object-refused"],
  [/exceeds maximum allowed size/, "transfer/too-large"],
  [
    /Input\/output error|Read-only file system|Permission denied|out of memory|mmap failed|Cannot allocate/i,
    "transfer/failed",
  ],
  [
    /SHA1 mismatch|SHA1 COLLISION|signature mismatch|inflate|unresolved delta|bad object|did not match|early EOF|pack version|invalid .*(?:type|blob|offset)|zlib|corrupt/i,
    "transfer/pack-broken",
  ],
];

/** Undefined where git did all that the push asked. */
export function pushEnd({ report, said }: PushSeen): GitEnd | undefined {
  const unpack = report.find((line) => line.startsWith("unpack "));
  const refused = report.filter((line) => line.startsWith("ng "));
  if (unpack === undefined) return undefined;
  if (unpack !== "unpack ok") {
    const why = `${said}\n${unpack}`;
    const code = unpacking.find(([sentence]) => sentence.test(why))?.[1] ?? "transfer/failed";
    return { code, says: told(lastWords(said) || unpack) };
  }
  const [first] = refused;
  if (first === undefined) return undefined;
  const says = told(refused.map((line) => line.slice("ng ".length)).join("; "));
  if (/missing necessary objects|did not receive expected object|bad pack/.test(first))
    return { code: "transfer/pack-broken", says };
  if (/failed to update ref|cannot lock|already exists|reference conflict|stale/.test(first))
    return { code: "transfer/conflict", says };
  return { code: "transfer/push-refused", says };
}

/** Lines of errors, without what only tells how far it came. */
function lastWords(said: string): string {
  return said
    .split(/[\r\n]+/)
    .map((line) => line.replace(/^remote: /, "").trim())
    .filter((line) => /^(?:error|fatal):/.test(line))
    .join("; ");
}

function told(text: string): string {
  return text.length <= saysMaxChars ? text : `${text.slice(0, saysMaxChars)}…`;
}
