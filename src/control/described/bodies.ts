/**
 * What callers send to routes of our own API, by the types that they have for it. A body is described by the schema that parses it; the types'
 * comments say what its fields mean, and both have to have the same fields. Never run, as `answers.ts`.
 */
import type { BudgetChange, PoolChange, TierChange } from "../../client/asked.ts";
import type { GiveAllowance, RevokeAllowance } from "../../contract/allowances.ts";
import type { BackupRequest, CreateToken, OwnerSettings, QuoteRequest, SetEntry } from "../../contract/api.ts";
import type { HubJobRequest, SetStorage } from "../../contract/hub-storage.ts";
import type { CreateAccount, SetPassword } from "../../contract/identity.ts";
import type { NoteRequest } from "../../contract/incidents.ts";
import type { DrainRequest } from "../../contract/nodes.ts";
import type { RouteRequest } from "../../contract/pools.ts";
import type { AddWebhook, ChangeWebhook } from "../../contract/webhooks.ts";

export interface Bodies {
  "POST /api/incidents/:id/notes": NoteRequest;
  "POST /api/incidents/:id/close": NoteRequest;
  "POST /api/backups": BackupRequest;
  "POST /api/hub/jobs": HubJobRequest;
  "PUT /api/accounts/:name/storage": SetStorage;
  "POST /api/accounts": CreateAccount;
  "PUT /api/accounts/:name/password": SetPassword;
  "POST /api/tokens": CreateToken;
  "POST /api/webhooks": AddWebhook;
  "PATCH /api/webhooks/:id": ChangeWebhook;
  "PATCH /api/spaces/:owner/:name/settings": OwnerSettings;
  "POST /api/spaces/:owner/:name/variables": SetEntry;
  "POST /api/spaces/:owner/:name/secrets": SetEntry;
  "PUT /api/spaces/:owner/:name/budget": BudgetChange;
  "PUT /api/spaces/:owner/:name/pools": RouteRequest;
  "PUT /api/accounts/:name/pools": RouteRequest;
  "POST /api/gpu/quote": QuoteRequest;
  "POST /api/quota/allowances": GiveAllowance;
  "POST /api/quota/allowances/:id/revoke": RevokeAllowance & { readonly account: string };
  "PATCH /api/tiers/:name": TierChange;
  "PUT /api/pools/:name": PoolChange;
  "PATCH /api/pools/:name": PoolChange;
  "PUT /api/pools/:name/drain": DrainRequest;
  "PUT /api/nodes/:name/drain": DrainRequest;
  "PUT /api/nodes/:name/cards/:index/drain": DrainRequest;
}
