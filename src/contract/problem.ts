/** RFC 9457 problem details, with the members that Waybill adds. */

export interface Problem {
  /** `<console>/codes/<boundary>/<name>`, or `about:blank`. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The explain page of this occurrence, where there is a record of it. */
  readonly instance?: string;
  readonly boundary: string;
  readonly code: string;
  readonly owner: "platform" | "app" | "visitor" | "outside";
  readonly retry: "now" | "later" | "never";
  readonly next: string;
  /** The work's id. */
  readonly waybill?: string;
  readonly explain?: string;
  /** All problems of a wrong input at once. */
  readonly errors?: readonly { readonly where: string; readonly message: string }[];
}
