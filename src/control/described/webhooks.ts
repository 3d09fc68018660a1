/** Webhooks: where what happens is told, and how that goes. */
import { webhookBody, webhookChanges } from "../routes/webhooks.ts";
import { accountOf, limitOf, oneOf, pageOf, type Operations } from "./operation.ts";

/** One would outlast what a person takes back from the app. */
const whose =
  "Of one's own account, of organisations that one administers, and for operators of the platform. Not for tokens that were given to an app.";
const ofNone = ["control/not-found"] as const;

export const webhooks = {
  "GET /api/webhooks": {
    ...{ tag: "webhooks", access: "account", summary: "List webhooks.", says: whose },
    query: { ...accountOf, platform: oneOf(["true"], "The platform's own; for operators.") },
  },
  "POST /api/webhooks": {
    ...{ tag: "webhooks", access: "account", status: 201, body: webhookBody },
    summary: "Have an address told what happens; this is the only time that its secret is shown.",
    ...{ says: whose, codes: ["control/not-found", "control/conflict"] },
  },
  "GET /api/webhooks/:id": {
    tag: "webhooks",
    access: "account",
    summary: "Show a webhook.",
    says: whose,
    codes: ofNone,
  },
  "PATCH /api/webhooks/:id": {
    ...{ tag: "webhooks", access: "account", summary: "Change a webhook, or switch it on or off.", says: whose },
    ...{ body: webhookChanges, codes: ofNone },
  },
  "DELETE /api/webhooks/:id": {
    ...{ tag: "webhooks", access: "account", summary: "Tell it nothing more, and forget its log.", says: whose },
    codes: ofNone,
  },
  "POST /api/webhooks/:id/secret": {
    ...{ tag: "webhooks", access: "account", summary: "Make another secret; the one before signs too for a day." },
    ...{ says: whose, codes: ofNone },
  },
  "POST /api/webhooks/:id/test": {
    ...{ tag: "webhooks", access: "account", summary: "Send something to it.", says: whose, status: 202 },
    codes: ["control/not-found", "control/conflict"],
  },
  "GET /api/webhooks/:id/deliveries": {
    ...{ tag: "webhooks", access: "account", summary: "List what was sent to it, newest first.", says: whose },
    ...{ query: { ...pageOf, ...limitOf(200, 50) }, codes: ["control/not-found", "control/invalid"] },
  },
  "GET /api/webhooks/:id/deliveries/:delivery": {
    ...{ tag: "webhooks", access: "account", summary: "Show a delivery with its tries and its body.", says: whose },
    codes: ofNone,
  },
  "POST /api/webhooks/:id/deliveries/:delivery/redeliver": {
    ...{
      tag: "webhooks",
      access: "account",
      summary: "Send a delivery again, under its id.",
      says: whose,
      status: 202,
    },
    codes: ["control/not-found", "control/conflict"],
  },
} as const satisfies Operations;
