/** What an operator says of the OpenID providers by which people may sign in: one JSON file, checked whole, with all problems told at once. */
import { z } from "zod";

/** More would be a page that nobody reads. */
const providersMax = 20;
const list = z.array(z.string().min(1).max(200)).max(200);

const provider = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "small letters, digits and dashes: it stands in addresses"),
  label: z.string().min(1).max(60).optional(),
  issuer: z.string().refine(isIssuer, "an address with https:// (http:// on this machine alone), without ? and #"),
  "client-id": z.string().min(1).max(500),
  "secret-file": z.string().min(1).optional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))
    .max(20)
    .default(["openid", "profile", "email"]),
  "account-claim": z.string().min(1).max(100).default("preferred_username"),
  "new-accounts": z.boolean().default(false),
  tier: z.enum(["free", "pro", "enterprise", "unlimited"]).default("free"),
  "email-domains": list.default([]),
  groups: list.default([]),
  "groups-claim": z.string().min(1).max(100).default("groups"),
});
const file = z.strictObject({ providers: z.array(provider).min(1).max(providersMax) });

export interface ProviderSettings {
  /** As in `/login/with/NAME`. */
  readonly name: string;
  /** As on the page: "Sign in with LABEL". */
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, by PKCE alone. */
  readonly secret: string | null;
  readonly scopes: readonly string[];
  /** The claim that names an account that is made. */
  readonly accountClaim: string;
  /** Whether somebody's first sign-in makes their account. */
  readonly newAccounts: boolean;
  readonly tier: z.infer<typeof provider>["tier"];
  /** Not empty: only who has a verified address there. */
  readonly emailDomains: readonly string[];
  /** Not empty: only who is in one of them. */
  readonly groups: readonly string[];
  readonly groupsClaim: string;
}

/** `secretOf`: a provider's secret, by its name and the file that is named; a text that says why there is none. */
export function readProviders(
  text: string,
  secretOf: (name: string, file: string | undefined) => string | null | { readonly wrong: string },
): { readonly providers: readonly ProviderSettings[] } | { readonly problems: readonly string[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problems: [`is not JSON: ${(error as Error).message}`] };
  }
  const parsed = file.safeParse(value);
  if (!parsed.success)
    return { problems: parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the file"}: ${message}`) };
  const problems: string[] = [];
  const { providers } = parsed.data;
  for (const field of ["name", "issuer"] as const) {
    const twice = providers.find((one, at) => providers.findIndex((other) => other[field] === one[field]) !== at);
    if (twice) problems.push(`two providers have the ${field} ${twice[field]}`);
  }
  const read = providers.map((one): ProviderSettings => {
    const secret = secretOf(one.name, one["secret-file"]);
    if (typeof secret === "object" && secret !== null) problems.push(`${one.name}: ${secret.wrong}`);
    const scopes = [...new Set(["openid", ...one.scopes])];
    return {
      ...{ name: one.name, label: one.label ?? one.name, issuer: one.issuer, clientId: one["client-id"], scopes },
      ...{ secret: typeof secret === "string" ? secret : null, accountClaim: one["account-claim"] },
      ...{ newAccounts: one["new-accounts"], tier: one.tier, groups: one.groups, groupsClaim: one["groups-claim"] },
      emailDomains: one["email-domains"].map((domain) => domain.toLowerCase().replace(/^@/, "")),
    };
  });
  return problems.length > 0 ? { problems } : { providers: read };
}

/** OpenID Connect Core, 16.17: TLS, but on this machine's own loopback, where there is nobody between. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, search, hash, username } = new URL(text);
  return (protocol === "https:" || isLoopbackHttp(text)) && search === "" && hash === "" && username === "";
}

/** Whether the address is one without TLS on this machine itself. */
export function isLoopbackHttp(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === "http:" && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}
