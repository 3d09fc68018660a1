/** Access to the files of gated repositories: who asks for it, what they fill in, and what is decided. */

export type AccessStanding = "pending" | "accepted" | "rejected";

/** What a gated repository's front matter asks of those who want access. */
export interface GateForm {
  readonly heading: string | null;
  readonly description: string | null;
  /** Terms that go with it, as they are written. */
  readonly prompt: string | null;
  readonly button: string | null;
  readonly fields: readonly GateField[];
}

export type GateField =
  | { readonly name: string; readonly type: "text" | "checkbox" | "date_picker" | "country" }
  | { readonly name: string; readonly type: "select"; readonly options: readonly string[] };

/** Of `GET R/user-access-request`: where the caller stands. */
export interface OwnAccess {
  readonly gated: "auto" | "manual" | false;
  /** `open`: the files are theirs to read without asking. `none`: they have not asked. */
  readonly status: "open" | "none" | AccessStanding;
  readonly requestId: string | null;
  readonly timestamp: string | null;
  readonly rejectionReason: string | null;
  /** Null where nothing is to be asked, or nothing can be. */
  readonly form: GateForm | null;
  /** Why nobody can be asked by what the front matter says; its owner mends that. */
  readonly formProblem: string | null;
}

/** Of `GET R/user-access-request/{pending|accepted|rejected}`, in the Hub's form. */
export interface AccessRequestView {
  readonly requestId: string;
  readonly user: {
    readonly _id: string;
    readonly user: string;
    readonly fullname: string;
    readonly avatarUrl: string;
    readonly isPro: boolean;
    readonly type: "user";
  };
  readonly status: AccessStanding;
  readonly timestamp: string;
  readonly fields?: Readonly<Record<string, string | boolean>>;
  readonly rejectionReason?: string;
  /** When it was decided, and by whom; `by` is null where nobody had to. */
  readonly decided?: { readonly at: string; readonly by: string | null };
}

/** `POST R/user-access-request/handle`: one of `user` and `requestId`. */
export interface HandleAccess {
  readonly user?: string;
  readonly requestId?: string;
  readonly status: AccessStanding;
  readonly rejectionReason?: string;
}
