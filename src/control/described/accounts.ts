/** Accounts, organisations, tokens, sessions, keys of visitors' tokens, and the audit log. */
import { auditQuery } from "../routes/audit.ts";
import { accountBody, memberBody, roleBody } from "../routes/organisations.ts";
import { linkBody, unlinkBody } from "../routes/providers.ts";
import { passwordBody } from "../routes/sessions.ts";
import { tokenBody } from "../routes/tokens.ts";
import { rotationBody } from "../routes/visitor-keys.ts";
import { accountOf, type Operations, word } from "./operation.ts";

/** What opens an account is given to no app, whatever its token may. */
const notApps = "Not for tokens that were given to an app.";

export const accounts = {
  "GET /api/whoami-v2": {
    ...{ tag: "accounts", access: "account", summary: "Say who asks, in the Hub's shape." },
  },
  "GET /api/accounts": {
    ...{ tag: "accounts", access: "operator", summary: "List accounts and organisations, by name." },
    query: {
      page: word("`next` of the page before."),
      limit: word("Items of one page, at most 1,000."),
      search: word("Words that stand in the name."),
    },
    codes: ["control/invalid"],
  },
  "POST /api/accounts": {
    ...{
      tag: "accounts",
      access: "operator",
      summary: "Make an account, or an organisation with its first administrator.",
    },
    ...{ body: accountBody, status: 201, codes: ["control/conflict", "control/not-found"] },
  },
  "PUT /api/accounts/:name/password": {
    ...{ tag: "accounts", access: "operator", summary: "Set a password: one's own, or for operators anybody's." },
    ...{ says: `Everybody who is signed in may set their own. ${notApps}`, body: passwordBody },
    codes: ["control/not-found", "identity/bad-password", "identity/too-many-tries"],
  },
  "GET /api/accounts/:name/sign-in": {
    ...{ tag: "accounts", access: "operator", summary: "List who an account is at other sign-in providers." },
  },
  "POST /api/accounts/:name/sign-in": {
    ...{ tag: "accounts", access: "operator", summary: "Let somebody at another provider sign in as an account." },
    ...{ body: linkBody, codes: ["control/not-found", "control/conflict"] },
  },
  "DELETE /api/accounts/:name/sign-in": {
    ...{ tag: "accounts", access: "operator", summary: "Take that back." },
    ...{ body: unlinkBody, codes: ["control/not-found"] },
  },
  "GET /api/organizations/:name/members": {
    ...{ tag: "accounts", access: "read", summary: "List an organisation's members, in the Hub's shape." },
    codes: ["control/not-found"],
  },
  "POST /api/organizations/:name/members": {
    ...{ tag: "accounts", access: "admin", summary: "Add a member." },
    ...{ body: memberBody, codes: ["control/not-found", "control/conflict"] },
  },
  "PATCH /api/organizations/:name/members/:account": {
    ...{ tag: "accounts", access: "admin", summary: "Change a member's role." },
    ...{ body: roleBody, codes: ["control/not-found", "control/conflict"] },
  },
  "DELETE /api/organizations/:name/members/:account": {
    ...{ tag: "accounts", access: "admin", summary: "Remove a member." },
    says: "Everybody may leave.",
    codes: ["control/not-found", "control/conflict"],
  },
  "GET /api/tokens": {
    ...{ tag: "accounts", access: "account", summary: "List an account's access tokens, without their secrets." },
    ...{ says: notApps, query: accountOf },
  },
  "POST /api/tokens": {
    ...{ tag: "accounts", access: "account", summary: "Make an access token; this is the only time that it is shown." },
    ...{ says: `Of one's own account with no more than one's own rights; operators any. ${notApps}` },
    ...{ body: tokenBody, status: 201, codes: ["control/not-found", "control/conflict"] },
  },
  "DELETE /api/tokens/current": {
    ...{ tag: "accounts", access: "account", summary: "Revoke the token by which it is asked." },
    codes: ["control/invalid", "control/not-found", "control/conflict"],
  },
  "DELETE /api/tokens/:id": {
    ...{ tag: "accounts", access: "account", summary: "Revoke a token.", says: notApps },
    codes: ["control/not-found", "control/conflict"],
  },
  "GET /api/sessions": {
    ...{ tag: "accounts", access: "account", summary: "List browsers that are signed in at the console." },
    ...{ says: notApps, query: accountOf },
  },
  "DELETE /api/sessions": {
    ...{ tag: "accounts", access: "account", summary: "End all of an account's sessions but the one that asks." },
    ...{ says: notApps, query: accountOf },
  },
  "DELETE /api/sessions/:id": {
    ...{ tag: "accounts", access: "account", summary: "End a session." },
    ...{ says: notApps, query: accountOf, codes: ["control/not-found"] },
  },
  "GET /api/keys/visitors": {
    ...{ tag: "accounts", access: "operator", summary: "List the keys of visitors' tokens, without their secrets." },
  },
  "POST /api/keys/visitors/rotate": {
    ...{ tag: "accounts", access: "operator", summary: "Go over to the next key." },
    says: "With `dropFormer` what the keys before have signed is refused from the answer on.",
    ...{ body: rotationBody, codes: ["control/conflict"] },
  },
  "GET /api/audit": {
    ...{ tag: "accounts", access: "account", summary: "List who changed what, newest first." },
    says: "All of it for operators, else what the caller changed and what is its own.",
    query: auditQuery,
  },
} as const satisfies Operations;
