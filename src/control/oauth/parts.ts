/** What the OpenID provider needs of the rest. */
import type { IncomingMessage } from "node:http";
import type { AccountRow } from "../../catalog/accounts.ts";
import type { Apps } from "../../catalog/apps.ts";
import type { Audit } from "../../catalog/audit.ts";
import type { MemberRow } from "../../catalog/members.ts";
import type { SecretBox } from "../../identity/secret-box.ts";
import type { RandomBytes } from "../../stdx/ids.ts";
import type { Clock, Instant } from "../../stdx/time.ts";
import type { SignInApp } from "./app.ts";
import type { AppClients } from "./clients.ts";

/** Who is signed in at the console, by the request's cookie. */
export interface ConsoleSession {
  /** `s_…` */
  readonly id: string;
  readonly account: string;
  readonly signedInAt: Instant;
}

export interface SignInParts {
  readonly rows: Apps;
  readonly audit: Audit;
  readonly clients: AppClients;
  readonly box: SecretBox;
  /** Of the provider's own cookies and forms. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The Space, where its release wants people to sign in. */
  app(space: string): Promise<SignInApp | undefined>;
  account(name: string): Promise<AccountRow | undefined>;
  organisationsOf(account: string): readonly MemberRow[];
  currentSession(request: IncomingMessage): Promise<ConsoleSession | undefined>;
  /** Ends it; what to send the browser as `Set-Cookie`. */
  endSession(session: ConsoleSession): Promise<string>;
  /** The page that signs in and then leads to `next`, a path. */
  signInPath(next: string): string;
  /** As apps reach it: the issuer. */
  providerUrl(): string;
  /** As browsers do. */
  consoleUrl(): string;
  onFailure(what: string, error: unknown): void;
}
