/**
 * Every way to an app, and who is counted for what is asked on it: the table of docs/identity.md, and what the tests demand. A row is
 * here when a test drives it with the client that it names.
 */
import type { Code } from "../../src/evidence/codes.ts";

/** Alice asks, on the tier pro. Anna owns the Space that is asked, bert the one that it asks, both free. */
export interface IdentityPath {
  readonly path: string;
  /** What asks, with what. */
  readonly by: string;
  readonly counted: Counted | Refused;
}

export interface Counted {
  readonly account: "alice" | "anna" | "address:127.0.0.1";
  readonly tier: "pro" | "free" | "anonymous";
  /** As the receipt has it. */
  readonly billedBy: "token" | "session" | "owner" | "address";
  /** What `waybill explain` says of the call: counted as … */
  readonly says: string;
}

export interface Refused {
  readonly code: Code;
  readonly status: 401 | 403;
  /** What stands in the answer, and in `waybill explain`. */
  readonly says: string;
}

const alice = { account: "alice", tier: "pro", billedBy: "token" } as const;
const anna = { account: "anna", tier: "free", billedBy: "owner" } as const;
const byToken: Counted = { ...alice, says: "alice, by an access token" };
const byItself: Counted = {
  ...anna,
  says: "anna, who owns the Space: its app asked by itself, with no visitor's token",
};
const passedOn: Counted = { ...anna, says: "anna, who owns the Space that asked: it passed on no visitor's token" };
/** A person at a browser, who is signed in at the console. */
const bySession: Counted = { ...alice, billedBy: "session", says: "alice, who is signed in" };
const byNothing: Counted = {
  account: "address:127.0.0.1",
  tier: "anonymous",
  billedBy: "address",
  says: "the address 127.0.0.1: nothing that came with the request says who asks",
};
const bad = (says: string): Refused => ({ code: "identity/bad-token", status: 401, says });

export const identityPaths = {
  python: { path: "gradio_client, by address", by: "`Client(url, token=…)`", counted: byToken },
  pythonName: {
    path: "gradio_client, by name",
    by: '`Client("anna/front", token=…)` with `HF_ENDPOINT`',
    counted: byToken,
  },
  pythonSaved: {
    path: "gradio_client, with the token that the machine has saved",
    by: '`Client("anna/front")` with `HF_ENDPOINT` and `HF_TOKEN`',
    counted: byToken,
  },
  javascript: { path: "@gradio/client", by: "`Client.connect(url, { token })`", counted: byToken },
  curl: { path: "curl", by: '`-H "Authorization: Bearer …"` to `/gradio_api/call/works`', counted: byToken },
  curlBasic: { path: "curl, with a name and a password", by: "`-u alice:TOKEN`", counted: byToken },
  mcp: { path: "an agent's tool call", by: "the MCP package's client, with `Authorization`", counted: byToken },
  websocket: {
    path: "WebSocket",
    by: "`ws`, with `Authorization` in the handshake; the app gives the SDK its request",
    counted: byToken,
  },
  componentServer: {
    path: "a component's server function",
    by: "`client.component_server(…)` of @gradio/client",
    counted: byToken,
  },
  stranger: {
    path: "no account",
    by: "curl without a token",
    counted: byNothing,
  },
  consoleBrowser: {
    path: "a browser, from the console",
    by: "who is signed in there follows the Space's link; Gradio's own page asks",
    counted: bySession,
  },
  appBrowser: {
    path: "a browser, at the app's address",
    by: "`/.waybill/sign-in` there, then a component's server function on Gradio's own page",
    counted: bySession,
  },
  rendered: {
    path: "a page that was rendered on the server",
    by: "the same browser; Gradio's Node in the Space renders the page (`ssr_mode=True`)",
    counted: bySession,
  },
  strangerBrowser: {
    path: "a browser that is signed in nowhere",
    by: "Gradio's own page asks",
    counted: byNothing,
  },
  framed: {
    path: "an app in a frame of the console",
    by: "who is signed in there shows it on the Space's page; Gradio's own page asks",
    counted: bySession,
  },
  embedded: {
    path: "an app in a frame on another site",
    by: "a browser that is signed in, also at the app's address: no frame gets that cookie",
    counted: byNothing,
  },
  customPage: {
    path: "a page of somebody's own, on another site",
    by: "`Client.connect(url, { token })` of @gradio/client in the browser",
    counted: byToken,
  },
  space: { path: "a Space that asks a Space", by: '`Client("bert/back")` in the app\'s function', counted: byToken },
  spaces: { path: "three Spaces deep", by: "the same, from Space to Space", counted: byToken },
  spaceToken: {
    path: "a Space that asks a Space with a token of its owner's",
    by: '`Client("bert/back", token=…)`',
    counted: byToken,
  },
  spaceAddress: {
    path: "a Space that asks a Space, and passes nothing on",
    by: "`Client(address)`, which sends no `X-IP-Token`",
    counted: passedOn,
  },
  spaceThread: {
    path: "a Space that asks a Space in a thread",
    by: '`Client("bert/back")` where no request is known',
    counted: passedOn,
  },
  thread: { path: "a GPU function in a thread", by: "the app, where no request is known", counted: byItself },
  scheduled: { path: "a scheduled job", by: "the app, since it is time", counted: byItself },
  expired: {
    path: "a token that has expired",
    by: "`Client(url, token=…)`",
    counted: { code: "identity/token-expired", status: 401, says: "This access token expired at" },
  },
  revoked: { path: "a revoked token", by: "`Client(url, token=…)`", counted: bad("This access token was revoked at") },
  foreign: {
    path: "a token of another platform",
    by: "`Client(url, token=…)`",
    counted: bad("This is no access token of this platform: those begin with hf_wb."),
  },
  unknown: { path: "a token that was never made", by: "curl", counted: bad("This access token is not known here.") },
  astray: {
    path: "a token without its scheme",
    by: '`-H "Authorization: hf_wb…"`',
    counted: bad("Authorization is not as `Bearer hf_wb…`, so nobody is known by it."),
  },
  noGpu: {
    path: "a token that is not for GPU time",
    by: "curl, with one of the scopes `read` and `write`",
    counted: {
      code: "identity/forbidden",
      status: 403,
      says: "This token may not spend GPU time: it has not the scope gpu.",
    },
  },
  stolen: {
    path: "a visitor's token outside of its Space",
    by: '`-H "X-IP-Token: …"`',
    counted: {
      code: "identity/forwarded",
      status: 401,
      says: "An X-IP-Token is taken only from the Space that it was made for, over its own connection.",
    },
  },
} as const satisfies Readonly<Record<string, IdentityPath>>;

export type PathId = keyof typeof identityPaths;

/** The lines of the table in docs/identity.md. */
export function identityLines(): readonly string[] {
  const rows = Object.values<IdentityPath>(identityPaths).map(({ path, by, counted }) => {
    const cells =
      "code" in counted ? [`nobody: ${counted.status} \`${counted.code}\``, "", "", counted.says] : cellsOf(counted);
    return `| ${[path, by, ...cells].join(" | ")} |`;
  });
  return [
    "| Path | What asks, with what | Billed | Tier | `billedBy` | What explain says |",
    "|---|---|---|---|---|---|",
    ...rows,
  ];
}

function cellsOf({ account, tier, billedBy, says }: Counted): readonly string[] {
  return [account === "address:127.0.0.1" ? "the address" : account, tier, billedBy, `counted as ${says}`];
}
