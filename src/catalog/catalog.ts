/**
 * The catalog: accounts, tokens, sessions, passwords, who people are elsewhere, what signing in to apps keeps, Spaces, repositories,
 * their discussions and large files, builds, releases, settings, webhooks and what is on its way to them, and the view of the calls, as
 * rows in the journal's database. It owns its tables and their migrations; who may read or change what is decided by those who ask.
 */
import type { SqlRunner } from "../stdx/sql.ts";
import type { Clock } from "../stdx/time.ts";
import { AccessRequests } from "./access-requests.ts";
import { Accounts } from "./accounts.ts";
import { Apps } from "./apps.ts";
import { Audit } from "./audit.ts";
import { Builds, Releases } from "./builds.ts";
import { Calls } from "./calls.ts";
import { openDatabase } from "./database.ts";
import { Deliveries } from "./deliveries.ts";
import { Discussions } from "./discussions.ts";
import { Domains } from "./domains.ts";
import { Environments } from "./environments.ts";
import { Identities } from "./identities.ts";
import { Kept } from "./kept.ts";
import { LargeFiles } from "./large-files.ts";
import { Members } from "./members.ts";
import { migrate } from "./migrations/index.ts";
import { Notices } from "./notices.ts";
import { Passwords } from "./passwords.ts";
import { Receipts } from "./receipts.ts";
import { Repos } from "./repos.ts";
import { noEffects, RequestKeys } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import { Sessions } from "./sessions.ts";
import { Settings } from "./settings.ts";
import { SpaceEvents } from "./space-events.ts";
import { Spaces } from "./spaces.ts";
import { Tokens } from "./tokens.ts";
import { Webhooks } from "./webhooks.ts";

interface CatalogParts {
  readonly db: ReturnType<typeof openDatabase>;
  readonly sql: SqlRunner;
  readonly effects: Effects;
  readonly notices: Notices;
}

export class Catalog {
  readonly accounts: Accounts;
  readonly members: Members;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly identities: Identities;
  readonly spaces: Spaces;
  readonly repos: Repos;
  readonly accessRequests: AccessRequests;
  readonly discussions: Discussions;
  readonly spaceEvents: SpaceEvents;
  readonly builds: Builds;
  readonly releases: Releases;
  readonly settings: Settings;
  readonly calls: Calls;
  readonly receipts: Receipts;
  readonly environments: Environments;
  readonly domains: Domains;
  readonly kept: Kept;
  readonly largeFiles: LargeFiles;
  readonly requestKeys: RequestKeys;
  readonly audit: Audit;
  readonly apps: Apps;
  readonly notices: Notices;
  readonly webhooks: Webhooks;
  readonly deliveries: Deliveries;

  private constructor(
    { db, sql, effects, notices }: CatalogParts,
    { calls, webhooks }: { readonly calls: Calls; readonly webhooks: Webhooks },
  ) {
    this.accounts = new Accounts(db, sql, effects);
    this.members = new Members(db, sql, effects, notices);
    this.tokens = new Tokens(db, sql, effects);
    this.sessions = new Sessions(db, sql, effects);
    this.passwords = new Passwords(db, sql, effects);
    this.identities = new Identities(db, sql, effects);
    this.spaces = new Spaces(db, sql, effects);
    this.repos = new Repos(db, sql, effects);
    this.accessRequests = new AccessRequests(db, sql, effects);
    this.discussions = new Discussions(db, sql, effects);
    this.spaceEvents = new SpaceEvents(db, sql, effects, notices);
    this.builds = new Builds(db, sql, effects, notices);
    this.releases = new Releases(db);
    this.settings = new Settings(db, sql, effects);
    this.largeFiles = new LargeFiles(db, sql, effects);
    this.calls = calls;
    this.receipts = new Receipts(db, sql);
    this.environments = new Environments(db, sql, effects);
    this.domains = new Domains(db, sql, effects);
    this.kept = new Kept(db, sql);
    this.requestKeys = new RequestKeys(db, sql, effects);
    this.audit = new Audit(db, sql);
    this.apps = new Apps(db, sql);
    this.notices = notices;
    this.webhooks = webhooks;
    this.deliveries = new Deliveries(db, sql, effects, notices);
  }

  /** Applies the migrations that are missing. Throws a `CatalogError`, `catalog-too-new`, on a newer program's database. */
  static async open(sql: SqlRunner, clock: Pick<Clock, "wall">, effects = noEffects): Promise<Catalog> {
    await migrate(sql, clock.wall());
    const db = openDatabase(sql);
    const notices = new Notices(db);
    const webhooks = await Webhooks.open(db, sql, effects, notices);
    const calls = await Calls.open(db, sql, notices);
    return new Catalog({ db, sql, effects, notices }, { calls, webhooks });
  }
}
