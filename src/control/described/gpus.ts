/** Builds, GPU calls and their receipts, quotas, pools and nodes, and explanations. */
import { allowanceBody, revocationBody } from "../allowances.ts";
import { cardPoolBody, poolBody, routeBody } from "../pool-orders.ts";
import { priorityBody } from "../routes/builds.ts";
import { drainBody } from "../routes/drains.ts";
import { spanQuery } from "../routes/explain.ts";
import { quoteBody } from "../routes/gpu.ts";
import { poolChangeBody } from "../routes/pools.ts";
import { tierBody } from "../routes/tiers.ts";
import { trialBody } from "../routes/trials.ts";
import { accountOf, count, limitOf, pageOf, word, type Operations } from "./operation.ts";
import { lastLine, logQuery } from "./spaces.ts";

const missing = ["control/not-found"] as const;
const order = ["control/not-found", "control/conflict"] as const;
const logSize = (says: string): ReturnType<typeof count> => count(0, 10 ** 12, says);

export const builds = {
  "GET /api/spaces/:owner/:name/builds": {
    ...{ tag: "builds", access: "read", summary: "List a Space's builds, newest first." },
    ...{ query: { ...limitOf(200, 50), ...pageOf }, codes: missing },
  },
  "GET /api/builds": { tag: "builds", access: "operator", summary: "Show the queue of builds, and who builds." },
  "GET /api/builds/:id": {
    ...{ tag: "builds", access: "read", summary: "Show a build and how it came to its stage.", codes: missing },
  },
  "PATCH /api/builds/:id": {
    ...{ tag: "builds", access: "operator", summary: "Set a waiting build's priority." },
    ...{ body: priorityBody, codes: order },
  },
  "POST /api/builds/:id/cancel": {
    ...{ tag: "builds", access: "write", summary: "Cancel a build.", codes: order },
  },
  "POST /api/builds/:id/retry": {
    ...{ tag: "builds", access: "write", summary: "Build the same commit again; answers the new build." },
    codes: [...order, "control/paused", "build/queue-full"],
  },
  "GET /api/builds/:id/log": {
    ...{
      tag: "builds",
      access: "read",
      stream: "lines",
      summary: "Give a build's log; it ends when the build has ended.",
    },
    ...{ query: logQuery, headers: lastLine, codes: [...missing, "control/invalid", "capacity/rate-limited"] },
  },
} as const satisfies Operations;

export const calls = {
  "GET /api/calls": {
    ...{ tag: "calls", access: "account", summary: "List GPU calls, newest first: an account's, or a Space's." },
    says: "With `space`: everybody's calls of it for who may write to it, the caller's own for others.",
    query: { ...accountOf, space: word("Of which Space: `OWNER/NAME`."), ...pageOf },
    codes: missing,
  },
  "GET /api/calls/:id": {
    ...{ tag: "calls", access: "open", summary: "Show a call, with what it waits for." },
    says: "To who made it, who may write to its Space, and operators; of a caller without an account to whoever has the id.",
    codes: ["control/not-found", "identity/missing", "identity/forbidden"],
  },
  "POST /api/calls/:id/cancel": {
    ...{ tag: "calls", access: "account", summary: "Cancel a call, as if its visitor had left.", codes: missing },
  },
  "GET /api/spaces/:owner/:name/functions": {
    ...{
      tag: "calls",
      access: "open",
      summary: "List a Space's GPU functions with what a call of each holds and usually costs.",
    },
    says: "Of those that were called since the platform started; that which was called last first.",
    codes: ["control/not-found"],
  },
  "POST /api/gpu/quote": {
    ...{ tag: "calls", access: "account", summary: "Tell what a call would meet now; nothing is held by asking." },
    says: "An app asks for its visitor, with the visitor's `X-IP-Token` in place of a token.",
    headers: { "X-IP-Token": word("An app's: its visitor's token.") },
    ...{ hasRateLimit: true, body: quoteBody },
    codes: [
      "control/not-found",
      "identity/expired",
      "identity/wrong-audience",
      "identity/bad-signature",
      "identity/forwarded",
    ],
  },
  "GET /api/gpu/queue": {
    ...{ tag: "calls", access: "account", summary: "Show who waits for which pool; others' names are for operators." },
    ...{ query: { pool: word("Of one pool; of all where none is named.") }, codes: missing },
  },
  "GET /api/gpu/board": {
    ...{ tag: "calls", access: "account", summary: "Show who has which slot; others' names are for operators." },
  },
} as const satisfies Operations;

export const quota = {
  "GET /api/quota": {
    ...{ tag: "quota", access: "account", summary: "Tell what is used, held and left of an account's window." },
    ...{ hasRateLimit: true, query: accountOf, codes: missing },
  },
  "GET /api/spaces/zero-gpu/quota": {
    ...{ tag: "quota", access: "account", summary: "Tell the same in the Hub's form." },
    ...{ hasRateLimit: true, query: accountOf, codes: missing },
  },
  "POST /api/quota/allowances": {
    ...{ tag: "quota", access: "operator", summary: "Give an account more for its window, credits, or lift a policy." },
    ...{ body: allowanceBody, status: 201, codes: order },
  },
  "POST /api/quota/allowances/:id/revoke": {
    ...{ tag: "quota", access: "operator", summary: "Take an allowance back.", body: revocationBody, codes: order },
  },
  "GET /api/tiers": { tag: "quota", access: "open", summary: "List what accounts of each tier may use." },
  "PATCH /api/tiers/:name": {
    ...{ tag: "quota", access: "operator", summary: "Change what accounts of a tier may use." },
    ...{ body: tierBody, codes: missing },
  },
  "POST /api/trials": {
    ...{ tag: "quota", access: "operator", summary: "Try settings of tiers and pools on the record; change nothing." },
    says: "The calls of a past span of at most seven days, at most 200,000 with those before it that fill the windows, are replayed by the ledger twice: as policies are, and as they would be. One trial at a time.",
    ...{ body: trialBody, codes: [...missing, "control/conflict"] },
  },
} as const satisfies Operations;

export const pools = {
  "GET /api/pools": { tag: "pools", access: "open", summary: "List the pools." },
  "GET /api/pools/:name": { tag: "pools", access: "open", summary: "Show one pool.", codes: missing },
  "PUT /api/pools/:name": {
    ...{ tag: "pools", access: "operator", summary: "Make a pool, or change one that is there." },
    ...{ body: poolBody, codes: order },
  },
  "PATCH /api/pools/:name": {
    ...{ tag: "pools", access: "operator", summary: "Change a pool's settings.", body: poolChangeBody, codes: order },
  },
  "PUT /api/pools/:name/drain": {
    ...{ tag: "pools", access: "operator", summary: "Take a pool out of use.", body: drainBody, codes: missing },
  },
  "DELETE /api/pools/:name/drain": {
    ...{ tag: "pools", access: "operator", summary: "Give it back.", codes: missing },
  },
  "GET /api/rules": {
    ...{ tag: "pools", access: "operator", summary: "List by which pools whose calls are served, by kind and name." },
    query: pageOf,
  },
  "GET /api/accounts/:name/pools": {
    ...{ tag: "pools", access: "read", summary: "Tell by which pools an account's calls are served.", codes: missing },
  },
  "PUT /api/accounts/:name/pools": {
    ...{ tag: "pools", access: "operator", summary: "Set by which pools an account's calls are served." },
    ...{ body: routeBody, codes: order },
  },
  "DELETE /api/accounts/:name/pools": {
    ...{ tag: "pools", access: "operator", summary: "Take that rule back.", codes: order },
  },
  "GET /api/nodes": { tag: "pools", access: "account", summary: "List the nodes and their cards." },
  "POST /api/nodes/:name/token": {
    ...{ tag: "pools", access: "operator", summary: "Make the token by which an agent joins as this node." },
    ...{ says: "It is shown this once; the one before it holds no longer.", status: 201, codes: ["control/invalid"] },
  },
  "POST /api/nodes/:name/check": {
    ...{ tag: "pools", access: "operator", summary: "Have a node's cards looked at now." },
    ...{ status: 202, codes: missing },
  },
  "PUT /api/nodes/:name/drain": {
    ...{ tag: "pools", access: "operator", summary: "Take a node out of use.", body: drainBody, codes: missing },
  },
  "DELETE /api/nodes/:name/drain": {
    ...{ tag: "pools", access: "operator", summary: "Give it back.", codes: missing },
  },
  "PUT /api/nodes/:name/cards/:index/drain": {
    ...{ tag: "pools", access: "operator", summary: "Take a card out of use.", body: drainBody, codes: missing },
  },
  "DELETE /api/nodes/:name/cards/:index/drain": {
    ...{ tag: "pools", access: "operator", summary: "Give it back.", codes: missing },
  },
  "PUT /api/nodes/:name/pool": {
    ...{
      tag: "pools",
      access: "operator",
      summary: "Put a node's cards into a pool.",
      body: cardPoolBody,
      codes: order,
    },
  },
  "DELETE /api/nodes/:name/pool": {
    ...{ tag: "pools", access: "operator", summary: "Take that back.", codes: order },
  },
  "PUT /api/nodes/:name/cards/:index/pool": {
    ...{ tag: "pools", access: "operator", summary: "Put a card into a pool.", body: cardPoolBody, codes: order },
  },
  "DELETE /api/nodes/:name/cards/:index/pool": {
    ...{ tag: "pools", access: "operator", summary: "Take that back.", codes: order },
  },
} as const satisfies Operations;

export const receipts = {
  "GET /api/receipts": {
    ...{ tag: "receipts", access: "account", summary: "List receipts of calls that an account pays, newest first." },
    query: {
      ...accountOf,
      month: word("Of calls that ended in this month in UTC, as 2026-11."),
      below: logSize("Of those with places below this in their log."),
      ...limitOf(200, 50),
      ...pageOf,
    },
    codes: ["control/not-found", "control/invalid"],
  },
  "GET /api/receipts/:id": {
    ...{ tag: "receipts", access: "open", summary: "Give a receipt with what proves it, by its id or its call's." },
    says: "To who called, who pays, and operators; of a caller without an account to whoever has the id.",
    query: { since: logSize("Leaves of the log that were seen before, which it is proved to extend.") },
    codes: ["control/not-found", "identity/missing", "identity/forbidden"],
  },
  "GET /api/receipts/log/consistency": {
    ...{ tag: "receipts", access: "open", summary: "Prove that the log of one size extends that of another." },
    query: {
      from: logSize("The lesser size, at least 1."),
      to: logSize("The greater one, which the log has reached."),
    },
    codes: ["control/invalid"],
  },
  "GET /api/statements/:month": {
    ...{
      tag: "receipts",
      access: "account",
      summary: "Tell what an account paid for GPU calls in a month, as 2026-11.",
    },
    ...{ query: accountOf, codes: ["control/not-found", "control/invalid"] },
  },
  "GET /api/keys": { tag: "receipts", access: "open", summary: "List the keys that have signed receipts." },
  "POST /api/keys/receipts/rotate": {
    ...{
      tag: "receipts",
      access: "operator",
      summary: "Sign by another key from now on.",
      codes: ["control/conflict"],
    },
  },
} as const satisfies Operations;

const whom = ["control/not-found", "identity/missing", "identity/forbidden"] as const;

export const explain = {
  "GET /api/explain/:id": {
    ...{ tag: "explain", access: "open", summary: "Explain a work, or whatever else has an id or a name." },
    says: "Any id, a node's name, or a place in the evidence, EMITTER/EPOCH/NUMBER, whose slashes stay as they are. All of it to the Space's owner and operators; without topology to who called.",
    codes: whom,
  },
  "GET /api/explain/:owner/:name": {
    ...{ tag: "explain", access: "write", summary: "Explain a Space, or a commit or discussion of it." },
    ...{ says: "NAME, NAME@COMMIT or NAME#NUMBER.", codes: missing },
  },
  "GET /api/explain": {
    ...{ tag: "explain", access: "account", summary: "Tell what happened in a span of time, of at most 24 hours." },
    says: "Of all for operators, else of one's own Spaces and what one caused.",
    ...{ query: spanQuery, codes: missing },
  },
  "GET /api/works/:id{.+}": {
    ...{ tag: "explain", access: "open", summary: "Give a work's verdict to whoever has its id, which is a secret." },
    codes: whom,
  },
} as const satisfies Operations;
