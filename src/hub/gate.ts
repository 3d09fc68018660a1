/** How the files of a gated repository are refused to who has no access, in words that the Hub's clients understand. */
import type { OutgoingHttpHeaders } from "node:http";

export interface GateRefusal {
  /** 401: nobody is signed in. Who is may have to ask. */
  readonly status: 401 | 403;
  readonly code: "identity/missing" | "identity/gated";
  /** Of this repository and this reader, and how to go on. */
  readonly says: string;
}

/** By which the clients tell it from a repository that is missing. */
export const gateHeaders = { "x-error-code": "GatedRepo" } as const satisfies OutgoingHttpHeaders;
