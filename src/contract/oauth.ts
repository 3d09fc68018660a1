/** What an app may ask of those who sign in to it with their account here: `hf_oauth` in its front matter, scopes as the Hub names them. */

/** How people sign in to an app, as its release says. */
export interface AppSignIn {
  /** Names of {@link appScopes} beside `openid` and `profile`. */
  readonly scopes: readonly AppScope[];
  /** An app's token holds for so long. */
  readonly expiresInMinutes: number;
  /** Only members of one of these may sign in; empty: everybody. */
  readonly organisations: readonly string[];
  /** Where browsers come back to, a path of the app. */
  readonly redirectPath: string;
}

/** Of an access token of the platform. */
type TokenScope = "read" | "write" | "gpu";

interface ScopeRow {
  /** What a token with it may beside saying whose it is. */
  readonly grants: readonly TokenScope[];
  /** To the person who is asked, behind "this app may". */
  readonly says: string;
}

/** Every scope that means something here. */
export const appScopes = {
  openid: { grants: [], says: "know which account you are" },
  profile: { grants: [], says: "see your account's name, its picture and the organisations that you are in" },
  email: { grants: [], says: "see your e-mail address, which this platform does not have" },
  "read-repos": { grants: ["read"], says: "read what you may read: Spaces, builds, calls and your quota" },
  "gated-repos": { grants: ["read"], says: "read what you may read: Spaces, builds, calls and your quota" },
  "contribute-repos": { grants: ["read", "write"], says: "make Spaces and change those that you may change" },
  "write-repos": { grants: ["read", "write"], says: "make Spaces and change those that you may change" },
  "manage-repos": { grants: ["read", "write"], says: "make Spaces and change those that you may change" },
  "inference-api": { grants: ["gpu"], says: "spend your GPU time by calling other apps as you" },
} as const satisfies Readonly<Record<string, ScopeRow>>;

export type AppScope = keyof typeof appScopes;

/** What each app gets, whatever it asks for. */
export const scopesOfAll = ["openid", "profile"] as const satisfies readonly AppScope[];

export const defaultRedirectPath = "/login/callback";
/** As on the Hub: eight hours, thirty days at most. */
export const defaultExpiresInMinutes = 480;
export const expiresMostMinutes = 43_200;

export function isAppScope(name: string): name is AppScope {
  return Object.hasOwn(appScopes, name);
}

/** What a token with these scopes may do here. */
export function tokenScopesOf(scopes: readonly AppScope[]): readonly TokenScope[] {
  const granted = new Set<TokenScope>(scopes.flatMap((name) => [...appScopes[name].grants]));
  return (["read", "write", "gpu"] as const).filter((scope) => granted.has(scope));
}

/** All scopes of an app, in the order of the table. */
export function scopesOf({ scopes }: Pick<AppSignIn, "scopes">): readonly AppScope[] {
  const asked = new Set<string>([...scopesOfAll, ...scopes]);
  return (Object.keys(appScopes) as AppScope[]).filter((name) => asked.has(name));
}
