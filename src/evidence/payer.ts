/** Who is counted for a work, and how the platform knew: said of each call and request, also where nothing went wrong with it. */
import type { Entry } from "./entry.ts";
import { number, text } from "./reading.ts";
import type { Reading } from "./reading.ts";
import { count } from "./words.ts";

export interface Payer {
  /** A name, or `address:…`. */
  readonly account: string;
  /** `token`, `session`, `address`, `owner`. */
  readonly by: string;
  readonly says: string;
}

/** Undefined where the record does not say. */
export function payerOf({ record, entries }: Reading): Payer | undefined {
  // Whatever of it is packed has its facts on the last entry.
  const known = entries.find(({ mark, facts }) => mark !== "refused" && text(facts, "billedBy") !== undefined);
  const account = text(known?.facts, "account");
  const by = text(known?.facts, "billedBy");
  if (known === undefined || account === undefined || by === undefined) return undefined;
  return { account, by, says: `${who(account, by)}${how(by, known, record.kind === "call")}` };
}

function who(account: string, by: string): string {
  return by === "address" ? `the address ${account.replace(/^address:/, "")}` : account;
}

function how(by: string, { facts }: Entry, isCall: boolean): string {
  const caller = text(facts, "caller");
  const hops = number(facts, "hops");
  const passed = hops === undefined ? "" : `; ${count(hops, "Space")} passed it on`;
  switch (by) {
    case "token":
      return `, by an access token${passed}`;
    case "session":
      return `, who is signed in${passed}`;
    case "address":
      return `: nothing that came with the request says who asks${passed}`;
    case "owner":
      if (caller !== undefined) return `, who owns ${caller}: that Space asked and passed on no visitor's token`;
      if (isCall && text(facts, "request") === undefined)
        return ", who owns the Space: its app asked by itself, with no visitor's token";
      return ", who owns the Space that asked: it passed on no visitor's token";
    default:
      return `, by ${by}${passed}`;
  }
}
