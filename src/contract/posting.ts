/** Between who decides what is sent to an address outside of the platform, and who sends it. */

/** What the world answers to one request; `detail` is of the system's words. */
export type Posted =
  | {
      readonly answered: true;
      readonly status: number;
      readonly retryAfter: string | undefined;
      /** The first bytes of the body. */
      readonly answer: string;
    }
  | {
      readonly answered: false;
      readonly why: "unresolved" | "denied" | "unconnected" | "untrusted" | "late" | "broken";
      readonly detail: string;
    };

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
