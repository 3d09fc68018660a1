/** The provider's paths on the console's host, as the Hub has them. */
export const providerPaths = {
  authorization: "/oauth/authorize",
  token: "/oauth/token",
  userinfo: "/oauth/userinfo",
  jwks: "/oauth/jwks",
  revocation: "/oauth/revoke",
  /** Of ours: where a person signs in and decides. */
  interaction: "/oauth/interaction",
  /** Of ours: accounts' pictures. */
  picture: "/oauth/picture",
} as const;

const own = Object.values(providerPaths);
const documents: readonly string[] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/** Whether a path is the provider's; others below /oauth are routes of the API. */
export function isProviderPath(path: string): boolean {
  return documents.includes(path) || own.some((one) => isAtOrBelow(one, path));
}

/** Whether a person's browser opens it: at the console's own address, where their session is. */
export function isForBrowsers(path: string): boolean {
  const { authorization, interaction } = providerPaths;
  return isAtOrBelow(authorization, path) || isAtOrBelow(interaction, path);
}

function isAtOrBelow(one: string, path: string): boolean {
  return path === one || path.startsWith(`${one}/`);
}
