/** Identity at the edge as it is in production, its caches warm, and what is left of it where nobody asks who it is: an HMAC. */
import { createHmac } from "node:crypto";
import type { EdgeOptions, Visitor } from "../src/edge/index.ts";
import { accessTokenHash } from "../src/identity/access-token.ts";
import { TokenResolver } from "../src/identity/token-resolver.ts";
import { ToldKeys } from "../src/identity/visitor-keys.ts";
import { visitorIdentity } from "../src/main/visitors.ts";
import { instant } from "../src/stdx/time.ts";
import type { Clock } from "../src/stdx/time.ts";

/** Whose requests are measured shows it. */
export const accessToken = "hf_wb0123456789abcdefghjkmnpqrstvwxyz";
/** As long: nobody looks at it. */
export const noToken = accessToken.replace("z", "y");

const key = new Uint8Array(32).map((_, at) => at * 7);

export function wholeIdentity(clock: Clock): EdgeOptions["identity"] {
  const held = { spaces: [], name: "", createdAt: instant(0), expiresAt: null, revokedAt: null };
  const found = {
    token: { id: "t_1", account: "alice", scopes: ["gpu" as const], ...held },
    tier: "pro",
    role: "user",
  } as const;
  const hash = accessTokenHash(accessToken);
  const resolver = new TokenResolver({
    directory: { find: async (asked) => (asked === hash ? found : undefined), touch: async () => undefined },
    clock,
    onTouchFailed: (error) => {
      throw error;
    },
  });
  const keys = new ToldKeys([{ kid: "v_01234567", key }]);
  return visitorIdentity({
    ...{ resolver, keys, clock, visitKey: key },
    sessions: { byId: async () => ({ ok: false, code: "identity/session-ended" }) },
    ownerTier: () => "free",
    reads: () => true,
    plainProcesses: false,
  });
}

const theOne: Visitor = { account: "alice", tier: "pro", billedBy: "token", user: "alice" };

/** One visitor for all; what a request's token costs however it is made is an HMAC of a text of its length that no other request has. */
export function hmacAlone(): EdgeOptions["identity"] {
  const fill = "x".repeat(signedChars);
  return {
    resolve: () => theOne,
    mint: ({ request }) => {
      const text = `${fill}${request}`;
      return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
    },
  };
}

/** In one edge: whoever shows {@link noToken} is nobody's question, so that all else is the same code in the same process. */
export function eitherIdentity(clock: Clock): EdgeOptions["identity"] {
  const [whole, alone] = [wholeIdentity(clock), hmacAlone()];
  const without = `Bearer ${noToken}`;
  return {
    resolve: (credentials) => (credentials.authorization === without ? alone : whole).resolve(credentials),
    mint: (terms) => (terms.visitor === theOne ? alone : whole).mint(terms),
  };
}

/** What is signed of the token that {@link wholeIdentity} mints, less a request's id. */
const signedChars = 269;
