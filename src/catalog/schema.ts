/** The columns as the database has them: what Kysely checks our queries against. Instants are whole milliseconds, lists JSON text. */
import type { Generated } from "kysely";

export interface AccountsTable {
  name: string;
  tier: string;
  role: string;
  createdAt: number;
  kind: Generated<string>;
}

export interface MembersTable {
  organisation: string;
  account: string;
  role: string;
  since: number;
  addedBy: string;
}

export interface TokensTable {
  id: string;
  account: string;
  hash: string;
  name: string;
  scopes: string;
  createdAt: number;
  lastUsedAt: number | null;
  expiresAt: number | null;
  revokedAt: number | null;
  spaces: string | null;
  app: Generated<string | null>;
}

export interface AppClientsTable {
  space: string;
  client: string;
  key: string;
  sealed: string;
  createdAt: number;
}

export interface AppArtifactsTable {
  model: string;
  id: string;
  grantId: string | null;
  lookup: string | null;
  key: string;
  sealed: string;
  expiresAt: number;
  consumedAt: number | null;
}

export interface AppKeysTable {
  id: string;
  alg: string;
  key: string;
  sealed: string;
  createdAt: number;
}

export interface SessionsTable {
  id: string;
  account: string;
  hash: string;
  how: string;
  createdAt: number;
  usedAt: number;
  expiresAt: number;
  endedAt: number | null;
  address: string | null;
  agent: string | null;
}

export interface PasswordsTable {
  account: string;
  hash: string;
  changedAt: number;
}

export interface IdentitiesTable {
  issuer: string;
  subject: string;
  account: string;
  linkedAt: number;
  linkedBy: string;
}

export interface XorbsTable {
  hash: string;
  packedBytes: number;
  bytes: number;
  storedAt: number;
}

export interface XorbHoldersTable {
  xorb: string;
  holder: string;
  owner: string;
  at: number;
}

export interface XetFilesTable {
  hash: string;
  sha256: string;
  bytes: number;
  terms: string;
  storedAt: number;
}

export interface XetFileXorbsTable {
  xorb: string;
  file: string;
}

export interface XetChunksTable {
  chunk: string;
  xorb: string;
}

export interface LfsConversionsTable {
  sha256: string;
  hash: string;
  bytes: number;
  xorbs: string;
  madeAt: number;
}

export interface StorageLimitsTable {
  account: string;
  maxBytes: number;
  setAt: number;
}

export interface SpacesTable {
  id: string;
  owner: string;
  name: string;
  sdk: string | null;
  state: string;
  since: number;
  says: string;
  code: string | null;
  build: string | null;
  release: string | null;
  subdomain: string;
  address: string;
  createdAt: number;
  settings: string;
  machine: string | null;
  port: number | null;
  createdBy: string | null;
  deletedAt: Generated<number | null>;
}

export interface ReposTable {
  kind: string;
  owner: string;
  name: string;
  folder: string;
  private: number;
  gated: string;
  createdAt: number;
  createdBy: string;
  changedAt: number;
  changedBy: string;
}

/** `fields`: JSON, what was filled in. */
export interface RepoAccessTable {
  folder: string;
  account: string;
  id: string;
  status: string;
  askedAt: number;
  fields: string | null;
  decidedAt: number | null;
  decidedBy: string | null;
  reason: string | null;
}

/** Folders of repositories that are gone from the catalog, and from the disk soon. */
/** `key` is the kind, owner and name in small letters. */
export interface RepoAliasesTable {
  key: string;
  folder: string;
  at: number;
}

export interface RepoRemovalsTable {
  folder: string;
  at: number;
}

/** `repo` is the repository's folder. `pending` is what the next start has to settle. */
export interface DiscussionsTable {
  repo: string;
  num: number;
  title: string;
  author: string;
  pull: number;
  status: string;
  base: string | null;
  merged: string | null;
  pending: string | null;
  createdAt: number;
}

/** `body` is the JSON of what the kind has to say. */
export interface DiscussionEventsTable {
  seq: Generated<number>;
  id: string;
  repo: string;
  num: number;
  kind: string;
  author: string;
  at: number;
  body: string;
}

/** Who brought files by git-lfs to a repository in which the account may not write. */
export interface ProposersTable {
  account: string;
  repo: string;
}

/** `change` is the JSON of what an event changed. */
export interface SpaceEventsTable {
  space: string;
  seq: number;
  at: number;
  from: string;
  to: string;
  says: string;
  code: string | null;
  actor: string;
  account: string | null;
  deadline: number | null;
  ends: string;
  change: string;
}

export interface BuildsTable {
  id: string;
  space: string;
  commit: string;
  stage: string;
  code: string | null;
  says: string;
  because: string;
  steps: string;
  queuedAt: number;
  claimedAt: number | null;
  endedAt: number | null;
  logLines: number;
  release: string | null;
  account: string | null;
  since: number | null;
  deadline: number | null;
  builder: string | null;
  attempts: number;
  priority: number;
  actor: string | null;
  replacedBy: string | null;
  retryOf: string | null;
  machine: string | null;
  trimmedAt: Generated<number | null>;
  limits: Generated<string | null>;
}

/** One row a transition of a build. */
export interface BuildEventsTable {
  build: string;
  n: number;
  at: number;
  event: string;
  stage: string;
  actor: string;
  fence: number;
  code: string | null;
  says: string;
  deadline: number | null;
}

export interface ReleasesTable {
  id: string;
  space: string;
  build: string;
  commit: string;
  manifest: string;
  node: string;
  createdAt: number;
  removedAt: Generated<number | null>;
}

export interface VariablesTable {
  space: string;
  name: string;
  value: string;
  description: string | null;
  updatedAt: number;
}

export interface SecretsTable {
  space: string;
  name: string;
  key: string;
  sealed: string;
  description: string | null;
  updatedAt: number;
}

export interface EnvironmentChangesTable {
  id: Generated<number>;
  space: string;
  kind: string;
  name: string;
  action: string;
  account: string;
  at: number;
}

export interface DomainsTable {
  name: string;
  space: string;
  state: string;
  proof: string | null;
  addedAt: number;
  addedBy: string;
  provedAt: number | null;
  lookedAt: number | null;
  missingSince: number | null;
}

export interface DomainChangesTable {
  id: Generated<number>;
  name: string;
  space: string;
  action: string;
  account: string | null;
  at: number;
  says: string;
}

/** `asked` and `answer` are sealed. */
export interface RequestKeysTable {
  account: string;
  key: string;
  mark: string;
  at: number;
  asked: string;
  made: number;
  work: string | null;
  answer: string | null;
}

/** `was` and `became` are JSON. */
export interface AuditTable {
  id: Generated<number>;
  at: number;
  account: string;
  token: string | null;
  session: string | null;
  address: string | null;
  action: string;
  target: string;
  owner: string | null;
  request: string;
  outcome: string;
  was: string | null;
  became: string | null;
}

export interface SettingsTable {
  key: string;
  value: string;
}

/** One row a call, from its admission or refusal on. `document` is the receipt's JSON. */
export interface CallsTable {
  id: string;
  at: number;
  /** Of the record that admitted or refused it: the order in which calls are listed. */
  journalIndex: number;
  account: string;
  tier: string;
  billedBy: string;
  request: string | null;
  space: string;
  release: string;
  replica: string;
  node: string;
  pool: string;
  size: string;
  declaredMs: number;
  simulated: number;
  heldMs: number;
  leaseMs: number | null;
  funding: string | null;
  gpu: string | null;
  grantedAt: number | null;
  attachedAt: number | null;
  visitorLeft: number;
  stage: string;
  endedAt: number | null;
  queuedMs: number;
  usedMs: number;
  chargedMs: number;
  outcome: string | null;
  code: string | null;
  rule: string | null;
  receipt: string | null;
  document: string | null;
  /** Its receipt's place in the log of receipts. */
  leaf: number | null;
  /** The account that pays; null until it has ended. */
  payer: string | null;
  creditsMs: number;
}

export interface CallDevicesTable {
  node: string;
  device: number;
  pool: string;
  uuid: string;
  name: string;
  simulated: number;
}

export interface CallCursorTable {
  one: number;
  journalIndex: number;
  /** Receipts that have a place in the log. */
  leaves: number;
}

export interface ReceiptTreeTable {
  one: number;
  /** Leaves that the tiles have. */
  size: number;
  /** Receipts of calls that had ended by then were removed by a compaction. */
  removedUntil: number | null;
}

export interface ReceiptTilesTable {
  level: number;
  tile: number;
  hashes: Uint8Array;
}

export interface ReceiptCheckpointsTable {
  size: number;
  at: number;
  note: string;
}

/** `types` is JSON. `sealed` and `formerSealed` are secrets; the former one signs too until `formerUntil`. */
export interface WebhooksTable {
  id: string;
  owner: string | null;
  url: string;
  types: string;
  description: string | null;
  state: string;
  since: number;
  says: string;
  failingSince: number | null;
  key: string;
  sealed: string;
  formerKey: string | null;
  formerSealed: string | null;
  formerUntil: number | null;
  createdAt: number;
  createdBy: string;
}

/** `body` is what is sent. */
export interface DeliveriesTable {
  number: Generated<number>;
  id: string;
  webhook: string;
  type: string;
  at: number;
  body: string;
  state: string;
  tries: number;
  dueAt: number | null;
  endedAt: number | null;
  says: string;
}

export interface DeliveryAttemptsTable {
  delivery: string;
  n: number;
  at: number;
  tookMs: number;
  outcome: string;
  status: number | null;
  says: string;
  answer: string | null;
}

export interface Schema {
  accounts: AccountsTable;
  tokens: TokensTable;
  sessions: SessionsTable;
  passwords: PasswordsTable;
  identities: IdentitiesTable;
  spaces: SpacesTable;
  spaceEvents: SpaceEventsTable;
  builds: BuildsTable;
  buildEvents: BuildEventsTable;
  releases: ReleasesTable;
  catalogSettings: SettingsTable;
  requestKeys: RequestKeysTable;
  spaceVariables: VariablesTable;
  spaceSecrets: SecretsTable;
  spaceEnvironmentChanges: EnvironmentChangesTable;
  domains: DomainsTable;
  domainChanges: DomainChangesTable;
  calls: CallsTable;
  callDevices: CallDevicesTable;
  callCursor: CallCursorTable;
  receiptTree: ReceiptTreeTable;
  receiptTiles: ReceiptTilesTable;
  receiptCheckpoints: ReceiptCheckpointsTable;
  audit: AuditTable;
  appClients: AppClientsTable;
  appArtifacts: AppArtifactsTable;
  appKeys: AppKeysTable;
  members: MembersTable;
  repos: ReposTable;
  repoAccess: RepoAccessTable;
  repoAliases: RepoAliasesTable;
  repoRemovals: RepoRemovalsTable;
  discussions: DiscussionsTable;
  discussionEvents: DiscussionEventsTable;
  proposers: ProposersTable;
  xorbs: XorbsTable;
  xorbHolders: XorbHoldersTable;
  xetFiles: XetFilesTable;
  xetFileXorbs: XetFileXorbsTable;
  xetChunks: XetChunksTable;
  lfsConversions: LfsConversionsTable;
  storageLimits: StorageLimitsTable;
  webhooks: WebhooksTable;
  deliveries: DeliveriesTable;
  deliveryAttempts: DeliveryAttemptsTable;
}
