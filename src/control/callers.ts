/** Who calls the API: the account of an access token or, where a browser asks without one, of its session at the console. */
import type { Code } from "../evidence/codes.ts";
import type { FoundSession, Sessions } from "../identity/sessions.ts";
import type { Identity, TokenResolver, TokenSpace } from "../identity/token-resolver.ts";
import type { Caller } from "./caller.ts";
import type { Organisations } from "./organisations.ts";

export type Called = { readonly caller: Caller | null } | { readonly refused: Code; readonly says?: string };

export class Callers {
  readonly #parts: {
    readonly resolver: TokenResolver;
    readonly sessions: Sessions;
    readonly organisations: Organisations;
  };

  constructor(parts: { resolver: TokenResolver; sessions: Sessions; organisations: Organisations }) {
    this.#parts = parts;
  }

  /** No token is nobody, a token that does not hold is refused. */
  async byToken(authorization: string | undefined): Promise<Called> {
    const { resolver } = this.#parts;
    const identity = await resolver.resolve({ authorization, hfAuthorization: undefined, address: undefined });
    if (!identity.ok) return { refused: identity.code, says: identity.says };
    return { caller: identity.by === "address" ? null : this.#ofToken(identity) };
  }

  /** A session that does not hold is refused as a token is. */
  async bySession(secret: string): Promise<Called> {
    const identity = await this.#parts.sessions.find(secret);
    return identity.ok ? { caller: this.#ofSession(identity) } : { refused: identity.code };
  }

  #ofToken({ account, tier, role, scopes, token }: Extract<Identity, { readonly by: "token" }>): Caller {
    const admin = role === "admin" && scopes.includes("admin");
    return {
      ...{ account, tier, admin, scopes },
      grants: (scope, space) => scopes.includes(scope) || isFor(token.spaces, scope, space),
      may: (right, of) => admin || this.#parts.organisations.may(account, right, of),
      via: { kind: "token", ...token },
    };
  }

  /** A person at the console may all that their account may. */
  #ofSession({ session, tier, role }: FoundSession): Caller {
    const { account } = session;
    const admin = role === "admin";
    return {
      ...{ account, tier, admin },
      scopes: admin ? ["read", "write", "gpu", "admin"] : ["read", "write", "gpu"],
      grants: () => true,
      may: (right, of) => admin || this.#parts.organisations.may(account, right, of),
      via: { kind: "session", ...session },
    };
  }
}

function isFor(spaces: readonly TokenSpace[], scope: "read" | "write", space: string | undefined): boolean {
  return spaces.some((one) => one.space === space && (scope === "read" || one.right === "write"));
}
