/** Spaces: how they stand, what is set of them, and what happens to them. */
import { budgetBody } from "../allowances.ts";
import { routeBody } from "../pool-orders.ts";
import { domainBody } from "../routes/domains.ts";
import { frameBody } from "../routes/frames.ts";
import { entryBody, entryNameBody } from "../routes/environment.ts";
import { hardwareBody, pauseBody, rollbackBody, sleeptimeBody } from "../routes/space-states.ts";
import { settingsChange } from "../space-settings.ts";
import { count, limitOf, moment, oneOf, pageOf, word, type Operations } from "./operation.ts";

const lists = { ...limitOf(200, 50), ...pageOf };
const missing = ["control/not-found"] as const;
const act = [...missing, "control/conflict", "control/paused"] as const;

/** Of a Space's log and of a build's. */
export const logQuery = {
  from: count(1, 1_000_000_000, "The first line's number."),
  tail: count(1, 100_000, "So many of the last lines, in place of `from`."),
  limit: count(1, 1_000_000_000, "Lines at most."),
  follow: oneOf(["1"], "Go on with what is written from now on."),
  grep: word("A text of 1 to 200 characters that stands in the line, whatever the case of its letters."),
  source: oneOf(["app", "build", "gpu", "edge", "egress", "runtime"], "Who wrote it."),
  since: moment("Not older than this."),
  download: oneOf(["1"], "As `text/plain`, to keep."),
};
export const lastLine = { "Last-Event-ID": word("The last event's `id`: the log goes on after it.") };

export const spaces = {
  "GET /api/spaces": {
    ...{ tag: "spaces", access: "open", isHubs: true, summary: "List the Spaces that the caller may know of." },
    says: "In the Hub's form, whose filters are the Hub's (docs/hub.md); with `form=views` in our own. What else the Hub's clients ask for is passed over.",
    query: {
      form: oneOf(["views"], "In our own form."),
      page: word("In our own form: `next` of the page before."),
      of: oneOf(["me", "others"], "In our own form: of the caller and its organisations, or of all others."),
      needs: oneOf(["1"], "In our own form: only those that wait for somebody, of those that the caller may read."),
      ...{
        author: word("Of which owner."),
        search: word("What stands in the name; in our own form each of these words, in the id."),
        filter: word("Tags, by commas."),
      },
      sort: word("`lastModified`, `createdAt` and what else the Hub has."),
      direction: oneOf(["-1", "1"], "1: ascending."),
      ...{
        limit: word("Items of one page; in our own form at most 1,000."),
        cursor: word("From the header `Link` of the page before."),
      },
      ...{ full: word("With the files."), cardData: word("With the front matter."), gated: word("Only gated ones.") },
    },
    codes: ["control/invalid"],
  },
  "GET /api/spaces/hardware": {
    ...{ tag: "spaces", access: "open", summary: "List what a Space can run on, in the Hub's shape." },
  },
  "GET /api/spaces/:owner/:name": {
    ...{ tag: "spaces", access: "open", isHubs: true, summary: "Show one Space, in our form and the Hub's at once." },
    says: "Builds, releases, replicas and reasons only to whoever may read what its owner has. What else the Hub's clients ask for is passed over.",
    query: {
      ...{ expand: word("Of the Hub's form only these fields."), "expand[]": word("The same.") },
      blobs: word("With the files' sizes and digests."),
    },
    codes: missing,
  },
  "GET /api/spaces/:owner/:name/runtime": {
    ...{ tag: "spaces", access: "open", summary: "Show its state in the Hub's shape.", codes: missing },
  },
  "GET /api/spaces/:owner/:name/events": {
    ...{ tag: "spaces", access: "read", summary: "List what happened to it, newest first." },
    ...{ query: lists, codes: [...missing, "control/invalid"] },
  },
  "GET /api/spaces/:owner/:name/releases": {
    ...{ tag: "spaces", access: "read", summary: "List its releases, newest first." },
    ...{ query: lists, codes: [...missing, "control/invalid"] },
  },
  "PATCH /api/spaces/:owner/:name/settings": {
    ...{ tag: "spaces", access: "write", summary: "Change settings; what is not named stays." },
    ...{ body: settingsChange, codes: act },
  },
  "POST /api/spaces/:owner/:name/frame": {
    ...{
      tag: "spaces",
      access: "account",
      summary: "Have the app know, in a frame of the console, who is signed in there.",
    },
    says: "For a session at the console: a token has none to give. The answer's address is good once, for a minute.",
    ...{ body: frameBody, codes: [...missing, "control/conflict", "identity/insecure"] },
  },
  "POST /api/spaces/:owner/:name/restart": {
    ...{ tag: "spaces", access: "write", summary: "Start its app again." },
    query: { factory: oneOf(["true", "false"], "Build its last commit again from nothing.") },
    codes: [...act, "control/invalid", "build/queue-full"],
  },
  "POST /api/spaces/:owner/:name/pause": {
    ...{ tag: "spaces", access: "write", summary: "Run nothing of it until somebody who may resumes it." },
    ...{ says: "`by` is for operators: the rule that wants it.", body: pauseBody, isBodyOptional: true, codes: act },
  },
  "POST /api/spaces/:owner/:name/resume": {
    ...{ tag: "spaces", access: "write", summary: "Lift a pause, and start what is stopped or asleep.", codes: act },
  },
  "POST /api/spaces/:owner/:name/stop": {
    ...{ tag: "spaces", access: "write", summary: "End its replicas until a restart or a new release.", codes: act },
  },
  "POST /api/spaces/:owner/:name/rollback": {
    ...{ tag: "spaces", access: "write", summary: "Run a release again without building it." },
    says: "The one before the one that runs, where none is named.",
    ...{ body: rollbackBody, isBodyOptional: true, codes: act },
  },
  "POST /api/spaces/:owner/:name/sleeptime": {
    ...{ tag: "spaces", access: "write", summary: "Set after how long it falls asleep, as the Hub's clients do." },
    ...{ says: "-1: never.", body: sleeptimeBody, codes: act },
  },
  "POST /api/spaces/:owner/:name/hardware": {
    ...{ tag: "spaces", access: "write", summary: "Set what it runs on, as the Hub's clients do." },
    ...{ body: hardwareBody, codes: act },
  },
  "GET /api/spaces/:owner/:name/requests": {
    ...{ tag: "spaces", access: "write", stream: "either", summary: "List its visitors' requests, newest first." },
    says: "With `follow=1` as they end: JSON Lines, or server-sent events where those are accepted.",
    query: {
      ...limitOf(500, 50),
      ...pageOf,
      status: word("The first digit of the status as in `5xx`; `0xx`: nobody answered."),
      who: oneOf(["app", "edge", "nobody"], "Who answered."),
      ...{ account: word("Whose."), method: word("By which method."), path: word("What the path begins with.") },
      ...{ since: moment("Accepted then or later."), until: moment("Accepted before.") },
      failed: oneOf(["1"], "With a code of ours, or a status of 500 and more."),
      grep: word("A text in the path, the query, the account, the code or the id."),
      follow: oneOf(["1"], "As they end, from now on."),
      after: count(0, 999_999_999_999, "With `follow`: on from after this number."),
    },
    headers: { "Last-Event-ID": word("With `follow`: as `after`.") },
    codes: [...missing, "control/invalid", "capacity/rate-limited"],
  },
  "GET /api/spaces/:owner/:name/requests/counts": {
    ...{ tag: "spaces", access: "write", summary: "List counts of requests that are no longer there one by one." },
    ...{ query: pageOf, codes: missing },
  },
  "GET /api/spaces/:owner/:name/logs": {
    ...{ tag: "spaces", access: "write", stream: "lines", summary: "Give the log of its newest replica." },
    query: { ...logQuery, replica: word("An id, or `previous`: the newest that has ended.") },
    ...{ headers: lastLine, codes: [...missing, "control/invalid", "capacity/rate-limited", "route/control-down"] },
  },
  "GET /api/spaces/:owner/:name/logs/run": {
    ...{ tag: "spaces", access: "write", stream: "events", summary: "Follow its app's log in the Hub's shape." },
    codes: [...missing, "capacity/rate-limited"],
  },
  "GET /api/spaces/:owner/:name/logs/build": {
    ...{ tag: "spaces", access: "write", stream: "events", summary: "Follow its last build's log in the Hub's shape." },
    codes: [...missing, "capacity/rate-limited"],
  },
  "GET /api/spaces/:owner/:name/variables": {
    ...{ tag: "spaces", access: "write", summary: "List its variables, in the Hub's shape.", codes: missing },
  },
  "POST /api/spaces/:owner/:name/variables": {
    ...{ tag: "spaces", access: "write", summary: "Set a variable." },
    ...{ body: entryBody, codes: [...missing, "control/conflict"] },
  },
  "DELETE /api/spaces/:owner/:name/variables": {
    ...{ tag: "spaces", access: "write", summary: "Remove a variable.", body: entryNameBody, codes: missing },
  },
  "GET /api/spaces/:owner/:name/secrets": {
    ...{ tag: "spaces", access: "write", summary: "List its secrets without their values.", codes: missing },
  },
  "POST /api/spaces/:owner/:name/secrets": {
    ...{ tag: "spaces", access: "write", summary: "Set a secret, which nobody is shown again." },
    ...{ body: entryBody, codes: [...missing, "control/conflict"] },
  },
  "DELETE /api/spaces/:owner/:name/secrets": {
    ...{ tag: "spaces", access: "write", summary: "Remove a secret.", body: entryNameBody, codes: missing },
  },
  "GET /api/spaces/:owner/:name/environment/changes": {
    ...{
      tag: "spaces",
      access: "write",
      summary: "List who changed which variable or secret, newest first; 100 at most.",
    },
    codes: missing,
  },
  "GET /api/spaces/:owner/:name/domains": {
    ...{
      tag: "spaces",
      access: "write",
      summary: "List names of people's own domains that lead to it.",
      codes: missing,
    },
  },
  "POST /api/spaces/:owner/:name/domains": {
    ...{ tag: "spaces", access: "write", summary: "Add a domain, whose DNS has to prove it." },
    ...{ says: "`withoutProof` is for operators.", body: domainBody },
    codes: [...missing, "control/conflict"],
  },
  "DELETE /api/spaces/:owner/:name/domains/:domain": {
    ...{ tag: "spaces", access: "write", summary: "Remove a domain.", codes: missing },
  },
  "GET /api/spaces/:owner/:name/domains/changes": {
    ...{
      tag: "spaces",
      access: "write",
      summary: "List who changed which domain, newest first; 100 at most.",
      codes: missing,
    },
  },
  "GET /api/spaces/:owner/:name/budget": {
    ...{ tag: "quota", access: "admin", summary: "Tell what its owner pays for its visitors." },
    ...{ hasRateLimit: true, codes: missing },
  },
  "PUT /api/spaces/:owner/:name/budget": {
    ...{ tag: "quota", access: "admin", summary: "Set what its owner pays for its visitors." },
    ...{ hasRateLimit: true, body: budgetBody, codes: [...missing, "control/conflict"] },
  },
  "GET /api/spaces/:owner/:name/pools": {
    ...{ tag: "pools", access: "read", summary: "Tell by which pools its calls are served.", codes: missing },
  },
  "PUT /api/spaces/:owner/:name/pools": {
    ...{ tag: "pools", access: "operator", summary: "Set by which pools its calls are served." },
    ...{ body: routeBody, codes: [...missing, "control/conflict"] },
  },
  "DELETE /api/spaces/:owner/:name/pools": {
    ...{ tag: "pools", access: "operator", summary: "Take that rule back.", codes: [...missing, "control/conflict"] },
  },
} as const satisfies Operations;
