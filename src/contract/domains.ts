/** Names of people's own domains that lead to Spaces, as the API tells of them. */

/** A name of somebody's own domain, as a Space claims it. */
export interface DomainView {
  /** In A-labels (`xn--…`). */
  readonly name: string;
  /** `claimed`: not proved yet. `leads`: requests for it reach the Space. `lapsed`: its proof is gone. */
  readonly state: "claimed" | "leads" | "lapsed";
  /** What says whose it is; `operator`: an operator's word. */
  readonly proof: "txt" | "cname" | "operator" | null;
  /** What to do, in a sentence. */
  readonly says: string;
  readonly url: string | null;
  /** What has to stand in the DNS: one of both. */
  readonly record: { readonly txt: { readonly name: string; readonly value: string }; readonly cname: string | null };
  readonly addedAt: string;
  readonly addedBy: string;
  readonly provedAt: string | null;
  /** The last time that the DNS gave an answer. */
  readonly lookedAt: string | null;
  /** Where its proof is gone: it leads until then. */
  readonly leadsUntil: string | null;
}

/** `account`: null where the platform did it. */
export interface DomainChangeView {
  readonly at: string;
  readonly account: string | null;
  readonly name: string;
  readonly action: "added" | "proved" | "missing" | "found" | "lapsed" | "removed";
  readonly says: string;
}
