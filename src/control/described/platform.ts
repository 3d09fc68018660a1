/** The platform itself: how it stands, its incidents, its upkeep. */
import { backupBody } from "../routes/backups.ts";
import { hubJobBody, storageBody } from "../routes/hub/storage.ts";
import { noteBody } from "../routes/incidents.ts";
import { count, pageOf, word, type Operations } from "./operation.ts";

const lastHeard = "The last event's `id`: what came after it is told first.";

export const platform = {
  "GET /api/openapi.json": { tag: "platform", access: "open", summary: "Give this description." },
  "GET /api/status": {
    tag: "platform",
    access: "open",
    summary: "Tell how the platform stands, boundary by boundary.",
  },
  "GET /api/events": {
    ...{ tag: "platform", access: "open", stream: "events" },
    summary: "Tell what changes, for whoever shows the platform.",
    says: "Events say what to read again and hold no state. A change's `type` is its event's name and not in the data; those of `ledger` bear their journal index as id.",
    query: { after: count(0, 1e15 - 1, `As \`Last-Event-ID\`, which goes before it. ${lastHeard}`) },
    headers: { "Last-Event-ID": word(lastHeard) },
    codes: ["capacity/rate-limited"],
  },
  "GET /api/incidents": {
    ...{ tag: "platform", access: "open", summary: "List what was wrong with the platform, newest first." },
    ...{ query: pageOf, codes: ["control/invalid"] },
  },
  "GET /api/incidents/:id": {
    ...{ tag: "platform", access: "open", summary: "Show one incident.", codes: ["control/not-found"] },
  },
  "POST /api/incidents/:id/notes": {
    ...{ tag: "platform", access: "operator", summary: "Put a word beside an incident." },
    ...{ body: noteBody, codes: ["control/not-found"] },
  },
  "POST /api/incidents/:id/close": {
    ...{ tag: "platform", access: "operator", summary: "End an incident that goes on, with a word." },
    ...{ body: noteBody, codes: ["control/not-found", "control/conflict"] },
  },
  "GET /api/hosts": {
    ...{ tag: "platform", access: "open", summary: "Say whether a host is the platform's." },
    says: "For a proxy in front that gets certificates on demand. Of a private Space its name is told to who may know of it.",
    ...{ query: { domain: word("The host.") }, codes: ["control/not-found"] },
  },
  "POST /api/backups": {
    ...{ tag: "upkeep", access: "operator", summary: "Copy the platform into a folder of the server's machine." },
    ...{ body: backupBody, later: "With `wait: false`: it has begun.", codes: ["control/conflict"] },
  },
  "GET /api/backups/:id": {
    ...{ tag: "upkeep", access: "operator", summary: "Tell how far a copy is.", codes: ["control/not-found"] },
  },
  "GET /api/hub/usage": {
    ...{ tag: "upkeep", access: "operator", summary: "Tell how much each account keeps in its repositories." },
    codes: ["control/not-found"],
  },
  "POST /api/hub/jobs": {
    ...{ tag: "upkeep", access: "operator", summary: "Look at all large files, or remove those that nobody needs." },
    ...{ body: hubJobBody, status: 202, codes: ["control/conflict"] },
  },
  "GET /api/hub/jobs/:id": {
    ...{ tag: "upkeep", access: "operator", summary: "Tell how far that is.", codes: ["control/not-found"] },
  },
  "PUT /api/accounts/:name/storage": {
    ...{ tag: "upkeep", access: "operator", summary: "Let an account keep so many bytes." },
    ...{ body: storageBody, codes: ["control/not-found"] },
  },
} as const satisfies Operations;
