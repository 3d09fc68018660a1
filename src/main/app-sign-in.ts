/** Signing in to apps, as this platform has it: which Space is which client, and who is signed in. */
import type { IncomingMessage } from "node:http";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { Addressing } from "../control/addressing.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { AppClients } from "../control/oauth/clients.ts";
import { OpenIdFace } from "../control/oauth/face.ts";
import type { SignInApp } from "../control/oauth/app.ts";
import type { ConsoleSession } from "../control/oauth/parts.ts";
import type { Domains } from "../control/domains.ts";
import type { Organisations } from "../control/organisations.ts";
import type { SecretBox } from "../identity/secret-box.ts";
import { loadOwnSecret } from "../identity/own-secret.ts";
import { noSessionCookie, sessionSecretOf } from "../identity/sessions.ts";
import type { Sessions } from "../identity/sessions.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";

export interface AppSignInWorld {
  readonly catalog: Catalog;
  readonly box: SecretBox;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly addressing: Addressing;
  readonly domains: Domains;
  readonly organisations: Organisations;
  space(id: string): SpaceRow | undefined;
  readonly sessions: Sessions;
  /** Where apps reach the platform. */
  providerUrl(): string;
  onFailure(what: string, error: unknown): void;
}

export interface AppSignIns {
  readonly clients: AppClients;
  readonly face: OpenIdFace;
}

export async function openAppSignIn(world: AppSignInWorld): Promise<AppSignIns> {
  const { catalog, box, clock, random, organisations, sessions, providerUrl, onFailure } = world;
  const clients = await AppClients.open({ rows: catalog.apps, box, clock, random, providerUrl });
  const face = new OpenIdFace({
    ...{ rows: catalog.apps, audit: catalog.audit, clients, box, clock, random, providerUrl, onFailure },
    secret: await loadOwnSecret(catalog.settings, "sign-in", random),
    app: (space) => appOf(space, world),
    account: (name) => catalog.accounts.get(name),
    organisationsOf: (account) => organisations.of(account),
    currentSession: (request) => sessionOf(request, sessions),
    endSession: async ({ id, account }) => {
      await sessions.end({ id, account });
      return noSessionCookie;
    },
    signInPath: (next) => `/login?${new URLSearchParams({ next }).toString()}`,
    consoleUrl: () => world.addressing.console,
  });
  return { clients, face };
}

/** The Space as its current release has it. */
async function appOf(
  id: string,
  { catalog, addressing, domains, space }: AppSignInWorld,
): Promise<SignInApp | undefined> {
  const row = space(id);
  const release = row?.release ? await catalog.releases.get(row.release) : undefined;
  const signIn = release?.manifest.signIn;
  if (row === undefined || release === undefined || signIn === undefined) return undefined;
  return {
    ...{ space: id, title: release.manifest.title, sdk: release.manifest.sdk, signIn },
    host: addressing.hostOf(row),
    origins: [...addressing.ofSpace(row), ...domains.urlsOf(id)],
  };
}

/** Who is signed in at the console. A session that has ended is as none: the person signs in again. */
async function sessionOf({ headers }: IncomingMessage, sessions: Sessions): Promise<ConsoleSession | undefined> {
  const secret = sessionSecretOf(headers.cookie);
  const found = secret === undefined ? undefined : await sessions.find(secret);
  if (!found?.ok) return undefined;
  const { id, account, createdAt } = found.session;
  return { id, account, signedInAt: createdAt };
}
