/**
 * What each route of our own API answers where it says yes, by the types that all parts share. `npm run api-reference` makes the schemas of
 * `share/openapi.json` of them, comments included, so this is never run. Of a stream it is what each of its lines or events says.
 */
import type { LogLine } from "../../contract/agent.ts";
import type { BudgetView } from "../../contract/allowances.ts";
import type {
  BackupJobView,
  BackupView,
  BoardView,
  BuildDetails,
  BuildQueueView,
  BuildView,
  CallView,
  CreatedNodeToken,
  CreatedToken,
  EnvironmentChangeView,
  HardwareView,
  OwnerSettings,
  Page,
  QueueView,
  QuotaView,
  QuoteView,
  FunctionView,
  ReleaseView,
  SecretViews,
  SetSecret,
  SpaceEventView,
  SpaceView,
  TiersView,
  TierView,
  VariableViews,
  WhoAmI,
} from "../../contract/api.ts";
import type { Change } from "../../contract/changes.ts";
import type { DomainChangeView, DomainView } from "../../contract/domains.ts";
import type { FrameView } from "../../contract/hand-over.ts";
import type { HubJobView, SetStorage, StorageUsages } from "../../contract/hub-storage.ts";
import type { HubRuntime, HubSpace } from "../../contract/hub.ts";
import type {
  AccountView,
  AuditEntryView,
  IdentityView,
  MemberView,
  SessionView,
  TokenView,
  VisitorKeysView,
} from "../../contract/identity.ts";
import type { IncidentView } from "../../contract/incidents.ts";
import type { NodesView } from "../../contract/nodes.ts";
import type { Problem } from "../../contract/problem.ts";
import type { PoolsView, PoolView, RouteView, RuleView } from "../../contract/pools.ts";
import type {
  ConsistencyView,
  Receipt,
  ReceiptKeysView,
  SignedReceipt,
  StatementView,
} from "../../contract/receipts.ts";
import type { RequestCount, RequestLine, RequestPage } from "../../contract/requests.ts";
import type { StatusView } from "../../contract/status.ts";
import type { TrialView } from "../../contract/trials.ts";
import type { AddedWebhook, DeliveryView, WebhookSecret, WebhookView } from "../../contract/webhooks.ts";
import type { SpanExplanation } from "../../evidence/span.ts";
import type { Explanation, WorkTold } from "../../evidence/verdict.ts";
import type { HubQuota } from "../quota-fields.ts";

/** One of a list in the Hub's form, as its own documents have it. */
export interface HubListed {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** In our form, with the Hub's fields beside it: also those of its own form that are not named here, as `siblings` and `cardData`. */
export type SpaceInBothForms = Omit<SpaceView, keyof HubSpace> & HubSpace & Readonly<Record<string, unknown>>;

/** What became of what was taken back, by its id. */
export interface EndedById {
  readonly id: string;
}

/** One line of a log in the Hub's form. */
export interface HubLogEvent {
  readonly data: string;
  readonly timestamp: string;
}

/** A refusal, as it is sent. */
export interface ProblemAnswer extends Problem {
  /** The same as `detail`, where the Hub's clients look for it. */
  readonly error: string;
}

/** By `METHOD path`, as the routes are declared. */
export interface Answers {
  no: ProblemAnswer;
  "GET /api/openapi.json": Readonly<Record<string, unknown>>;
  "GET /api/status": StatusView;
  "GET /api/events": Change;
  "GET /api/incidents": Page<IncidentView>;
  "GET /api/incidents/:id": IncidentView;
  "POST /api/incidents/:id/notes": IncidentView;
  "POST /api/incidents/:id/close": IncidentView;
  "GET /api/hosts": { readonly host: string; readonly space: string | null };

  "GET /api/whoami-v2": WhoAmI;
  "GET /api/accounts": Page<AccountView>;
  "POST /api/accounts": AccountView;
  "PUT /api/accounts/:name/password": { readonly account: string };
  "GET /api/accounts/:name/sign-in": Page<IdentityView>;
  "POST /api/accounts/:name/sign-in": Page<IdentityView>;
  "DELETE /api/accounts/:name/sign-in": Page<IdentityView>;
  "GET /api/organizations/:name/members": readonly MemberView[];
  "POST /api/organizations/:name/members": readonly MemberView[];
  "PATCH /api/organizations/:name/members/:account": readonly MemberView[];
  "DELETE /api/organizations/:name/members/:account": readonly MemberView[];
  "GET /api/tokens": Page<TokenView>;
  "POST /api/tokens": CreatedToken;
  "DELETE /api/tokens/current": EndedById;
  "DELETE /api/tokens/:id": EndedById;
  "GET /api/sessions": Page<SessionView>;
  "DELETE /api/sessions": { readonly ended: number };
  "DELETE /api/sessions/:id": EndedById;
  "GET /api/keys/visitors": VisitorKeysView;
  "POST /api/keys/visitors/rotate": VisitorKeysView;
  "GET /api/audit": Page<AuditEntryView>;

  "GET /api/spaces": Page<SpaceView> | readonly HubListed[];
  "GET /api/spaces/hardware": readonly HardwareView[];
  "GET /api/spaces/:owner/:name": SpaceInBothForms;
  "GET /api/spaces/:owner/:name/runtime": HubRuntime;
  "GET /api/spaces/:owner/:name/events": Page<SpaceEventView>;
  "GET /api/spaces/:owner/:name/releases": Page<ReleaseView>;
  "PATCH /api/spaces/:owner/:name/settings": OwnerSettings;
  "POST /api/spaces/:owner/:name/frame": FrameView;
  "POST /api/spaces/:owner/:name/restart": HubRuntime;
  "POST /api/spaces/:owner/:name/pause": HubRuntime;
  "POST /api/spaces/:owner/:name/resume": HubRuntime;
  "POST /api/spaces/:owner/:name/stop": HubRuntime;
  "POST /api/spaces/:owner/:name/rollback": HubRuntime;
  "POST /api/spaces/:owner/:name/sleeptime": HubRuntime;
  "POST /api/spaces/:owner/:name/hardware": HubRuntime;
  "GET /api/spaces/:owner/:name/requests": RequestPage;
  "GET /api/spaces/:owner/:name/requests line": RequestLine;
  "GET /api/spaces/:owner/:name/requests/counts": Page<RequestCount>;
  "GET /api/spaces/:owner/:name/logs": LogLine;
  "GET /api/spaces/:owner/:name/logs/run": HubLogEvent;
  "GET /api/spaces/:owner/:name/logs/build": HubLogEvent;
  "GET /api/spaces/:owner/:name/variables": VariableViews;
  "POST /api/spaces/:owner/:name/variables": VariableViews;
  "DELETE /api/spaces/:owner/:name/variables": VariableViews;
  "GET /api/spaces/:owner/:name/secrets": SecretViews;
  "POST /api/spaces/:owner/:name/secrets": SetSecret;
  "DELETE /api/spaces/:owner/:name/secrets": SecretViews;
  "GET /api/spaces/:owner/:name/environment/changes": Page<EnvironmentChangeView>;
  "GET /api/spaces/:owner/:name/domains": Page<DomainView>;
  "POST /api/spaces/:owner/:name/domains": DomainView;
  "DELETE /api/spaces/:owner/:name/domains/:domain": Page<DomainView>;
  "GET /api/spaces/:owner/:name/domains/changes": Page<DomainChangeView>;
  "GET /api/spaces/:owner/:name/budget": BudgetView;
  "PUT /api/spaces/:owner/:name/budget": BudgetView;
  "GET /api/spaces/:owner/:name/pools": RouteView;
  "PUT /api/spaces/:owner/:name/pools": RouteView;
  "DELETE /api/spaces/:owner/:name/pools": RouteView;

  "GET /api/spaces/:owner/:name/builds": Page<BuildView>;
  "GET /api/builds": BuildQueueView;
  "GET /api/builds/:id": BuildDetails;
  "PATCH /api/builds/:id": BuildView;
  "POST /api/builds/:id/cancel": BuildView;
  "POST /api/builds/:id/retry": BuildView;
  "GET /api/builds/:id/log": LogLine;

  "GET /api/calls": Page<CallView>;
  "GET /api/calls/:id": CallView;
  "POST /api/calls/:id/cancel": CallView;
  "POST /api/gpu/quote": QuoteView;
  "GET /api/spaces/:owner/:name/functions": Page<FunctionView>;
  "GET /api/gpu/queue": QueueView;
  "GET /api/gpu/board": BoardView;
  "GET /api/quota": QuotaView;
  "GET /api/spaces/zero-gpu/quota": HubQuota;
  "POST /api/quota/allowances": QuotaView;
  "POST /api/quota/allowances/:id/revoke": QuotaView;
  "GET /api/tiers": TiersView;
  "PATCH /api/tiers/:name": TierView;
  "POST /api/trials": TrialView;

  "GET /api/pools": PoolsView;
  "GET /api/pools/:name": PoolView;
  "PUT /api/pools/:name": PoolView;
  "PATCH /api/pools/:name": PoolView;
  "PUT /api/pools/:name/drain": NodesView;
  "DELETE /api/pools/:name/drain": NodesView;
  "GET /api/rules": Page<RuleView>;
  "GET /api/accounts/:name/pools": RouteView;
  "PUT /api/accounts/:name/pools": RouteView;
  "DELETE /api/accounts/:name/pools": RouteView;
  "GET /api/nodes": NodesView;
  "POST /api/nodes/:name/token": CreatedNodeToken;
  "POST /api/nodes/:name/check": { readonly node: string };
  "PUT /api/nodes/:name/drain": NodesView;
  "DELETE /api/nodes/:name/drain": NodesView;
  "PUT /api/nodes/:name/cards/:index/drain": NodesView;
  "DELETE /api/nodes/:name/cards/:index/drain": NodesView;
  "PUT /api/nodes/:name/pool": NodesView;
  "DELETE /api/nodes/:name/pool": NodesView;
  "PUT /api/nodes/:name/cards/:index/pool": NodesView;
  "DELETE /api/nodes/:name/cards/:index/pool": NodesView;

  "GET /api/receipts": Page<Receipt>;
  "GET /api/receipts/:id": SignedReceipt;
  "GET /api/receipts/log/consistency": ConsistencyView;
  "GET /api/statements/:month": StatementView;
  "GET /api/keys": ReceiptKeysView;
  "POST /api/keys/receipts/rotate": ReceiptKeysView;

  "GET /api/explain/:id": Explanation;
  "GET /api/explain/:owner/:name": Explanation;
  "GET /api/explain": SpanExplanation;
  "GET /api/works/:id{.+}": WorkTold;

  "GET /api/webhooks": Page<WebhookView>;
  "POST /api/webhooks": AddedWebhook;
  "GET /api/webhooks/:id": WebhookView;
  "PATCH /api/webhooks/:id": WebhookView;
  "DELETE /api/webhooks/:id": EndedById;
  "POST /api/webhooks/:id/secret": WebhookSecret;
  "POST /api/webhooks/:id/test": DeliveryView;
  "GET /api/webhooks/:id/deliveries": Page<DeliveryView>;
  "GET /api/webhooks/:id/deliveries/:delivery": DeliveryView;
  "POST /api/webhooks/:id/deliveries/:delivery/redeliver": DeliveryView;

  "POST /api/backups": BackupView;
  "POST /api/backups 202": BackupJobView;
  "GET /api/backups/:id": BackupJobView;
  "GET /api/hub/usage": StorageUsages;
  "POST /api/hub/jobs": HubJobView;
  "GET /api/hub/jobs/:id": HubJobView;
  "PUT /api/accounts/:name/storage": SetStorage;
}
