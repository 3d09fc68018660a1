/** Whether whoever has a name's DNS wants it to lead to a Space: a TXT record beside it, or a CNAME that is the Space's own name. */
import { createHmac } from "node:crypto";
import { base32 } from "../stdx/ids.ts";

/** Asks the DNS. Rejects with the system's code: `ENOTFOUND` and `ENODATA` say that there is no such record, all else that nobody knows. */
export interface DomainResolver {
  /** Each record's text, its pieces put together. */
  txt(name: string): Promise<readonly string[]>;
  cname(name: string): Promise<readonly string[]>;
}

export type ProofFound =
  | { readonly kind: "found"; readonly by: "txt" | "cname" }
  /** The DNS answers, and has no such record. */
  | { readonly kind: "missing"; readonly says: string }
  /** It did not answer: nothing follows from that. */
  | { readonly kind: "unknown"; readonly says: string };

/** What is to stand in the DNS: one of both. */
export interface ProofWanted {
  readonly txt: { readonly name: string; readonly value: string };
  /** Null where the Space's own name is known to this network's machines alone, or it has none. */
  readonly cname: string | null;
}

const tokenLength = 26;

/** The record is good for this Space alone: another one's owner, who can read it, gains nothing by it. */
export function proofWanted(
  name: string,
  { space, cname, secret }: { readonly space: string; readonly cname: string | null; readonly secret: Uint8Array },
): ProofWanted {
  const token = base32(createHmac("sha256", secret).update(`${space}\n${name}`).digest()).slice(0, tokenLength);
  return { txt: { name: `_waybill.${name}`, value: `waybill=${token}` }, cname };
}

export async function findProof(name: string, wanted: ProofWanted, resolver: DomainResolver): Promise<ProofFound> {
  const [texts, aliases] = await Promise.all([
    asked(resolver.txt(wanted.txt.name)),
    wanted.cname === null ? ({ records: [] } as const) : asked(resolver.cname(name)),
  ]);
  if ("records" in texts && texts.records.some((text) => text.trim() === wanted.txt.value))
    return { kind: "found", by: "txt" };
  if ("records" in aliases && aliases.records.some((alias) => alias.toLowerCase().replace(/\.$/, "") === wanted.cname))
    return { kind: "found", by: "cname" };
  const failed = [texts, aliases].flatMap((one) => ("errno" in one ? one.errno : []));
  if (failed.length > 0) return { kind: "unknown", says: `the DNS did not answer for ${name} (${failed.join(", ")})` };
  const has =
    "records" in texts && texts.records.length > 0
      ? `other texts at ${wanted.txt.name}`
      : `no text at ${wanted.txt.name}`;
  const leads = "records" in aliases && aliases.records.length > 0 ? ` and leads to ${aliases.records.join(", ")}` : "";
  return { kind: "missing", says: `the DNS has ${has}${leads}` };
}

async function asked(
  question: Promise<readonly string[]>,
): Promise<{ readonly records: readonly string[] } | { readonly errno: string }> {
  try {
    return { records: await question };
  } catch (error) {
    const { code = "UNKNOWN" } = error as NodeJS.ErrnoException;
    return code === "ENOTFOUND" || code === "ENODATA" ? { records: [] } : { errno: code };
  }
}
