/** The codes of boundary `identity`, a part of the list of `codes.ts`. */
import type { CodeRow } from "./codes.ts";

export const identityCodes = {
  "identity/missing": {
    says: "This needs a signed-in account and the request carried none.",
    owner: "visitor",
    retry: "never",
    status: 401,
    proxy: "http_request_denied",
    next: "Send `Authorization: Bearer hf_wb…`.",
  },
  "identity/expired": {
    says: "The token has expired.",
    owner: "visitor",
    retry: "now",
    status: 401,
    proxy: "http_request_denied",
    next: "Make the request again; each one gets a fresh token.",
  },
  "identity/wrong-audience": {
    says: "The visitor's token was made for another Space.",
    owner: "app",
    retry: "never",
    status: 401,
    proxy: "http_request_denied",
    next: "Pass on the token of the request that is being answered.",
  },
  "identity/bad-signature": {
    says: "The token was not signed by this platform.",
    owner: "visitor",
    retry: "never",
    status: 401,
    proxy: "http_request_denied",
    next: "Pass on `X-IP-Token` exactly as it came; never make one.",
  },
  "identity/forwarded": {
    says: "A visitor's token came from elsewhere than the Space that it was made for.",
    owner: "visitor",
    retry: "never",
    status: 401,
    proxy: "http_request_denied",
    next: "Sign in with `Authorization: Bearer hf_wb…`: only a Space may pass on its own visitor's token.",
  },
  "identity/bad-token": {
    says: "The access token is not known here, or was revoked.",
    owner: "visitor",
    retry: "never",
    status: 401,
    proxy: "http_request_denied",
    next: "Make a new one with `waybill token create`.",
  },
  "identity/forbidden": {
    says: "This account may not do that.",
    owner: "visitor",
    retry: "never",
    status: 403,
    proxy: "http_request_denied",
    next: "Ask the Space's owner or the operator.",
  },
} as const satisfies Record<`identity/${string}`, CodeRow>;
