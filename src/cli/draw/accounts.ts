/** Draws accounts, who they are elsewhere, members, sessions, tokens and keys. */
import type {
  AccountView,
  IdentityView,
  MemberView,
  SessionView,
  TokenView,
  VisitorKeysView,
} from "../../contract/identity.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf } from "./paper.ts";
import { drawTable } from "./table.ts";

export function drawAccounts(paper: Paper, accounts: readonly AccountView[]): string {
  return drawTable(
    paper,
    [
      { head: "NAME", cell: ({ name }) => name, drop: 0 },
      { head: "KIND", cell: ({ kind }) => kind, drop: 1 },
      { head: "TIER", cell: ({ tier }) => tier, drop: 2 },
      { head: "OPERATOR", cell: ({ role }) => (role === "admin" ? "yes" : ""), drop: 3 },
      { head: "SINCE", cell: ({ createdAt }) => dayTimeOf(paper, createdAt), drop: 4 },
    ],
    accounts,
  );
}

export function drawMembers(paper: Paper, members: readonly MemberView[]): string {
  if (members.length === 0) return "Nobody is in it any more.\n";
  return drawTable(
    paper,
    [
      { head: "ACCOUNT", cell: ({ user }) => user, drop: 0 },
      { head: "ROLE", cell: ({ role }) => role, drop: 0 },
      { head: "SINCE", cell: ({ since }) => dayTimeOf(paper, since), drop: 1 },
      { head: "ADDED BY", cell: ({ addedBy }) => addedBy, drop: 2 },
    ],
    members,
  );
}

export function drawSessions(paper: Paper, sessions: readonly SessionView[]): string {
  if (sessions.length === 0) return "No browser is signed in.\n";
  return drawTable(
    paper,
    [
      { head: "ID", cell: ({ id }) => id, drop: 0 },
      { head: "SINCE", cell: ({ createdAt }) => dayTimeOf(paper, createdAt), drop: 1 },
      { head: "USED", cell: ({ lastUsedAt }) => dayTimeOf(paper, lastUsedAt), drop: 0 },
      { head: "BY", cell: ({ how }) => how, drop: 3 },
      { head: "FROM", cell: ({ address }) => address ?? "unknown", drop: 2 },
      { head: "BROWSER", cell: ({ agent }) => agent ?? "unknown", drop: 4 },
    ],
    sessions,
  );
}

export function drawIdentities(paper: Paper, identities: readonly IdentityView[]): string {
  if (identities.length === 0) return "No other provider signs it in.\n";
  return drawTable(
    paper,
    [
      { head: "PROVIDER", cell: ({ provider, issuer }) => provider ?? issuer, drop: 0 },
      { head: "SUBJECT", cell: ({ subject }) => subject, drop: 0 },
      { head: "SINCE", cell: ({ linkedAt }) => dayTimeOf(paper, linkedAt), drop: 1 },
      { head: "BY", cell: ({ linkedBy }) => linkedBy, drop: 2 },
    ],
    identities,
  );
}

export function drawTokens(paper: Paper, tokens: readonly TokenView[]): string {
  if (tokens.length === 0) return "No tokens.\n";
  return drawTable(
    paper,
    [
      { head: "ID", cell: ({ id, current }) => (current ? `${id} (this one)` : id), drop: 0 },
      { head: "NAME", cell: ({ name, app }) => (app === null ? name : `the app ${app}`), drop: 1 },
      { head: "MAY", cell: maySay, drop: 0 },
      { head: "HOLDS", cell: (token) => holdsSay(paper, token), drop: 0 },
      {
        head: "USED",
        cell: ({ lastUsedAt }) => (lastUsedAt === null ? "never" : dayTimeOf(paper, lastUsedAt)),
        drop: 2,
      },
      { head: "MADE", cell: ({ createdAt }) => dayTimeOf(paper, createdAt), drop: 3 },
    ],
    tokens,
  );
}

function maySay({ scopes, spaces, app }: TokenView): string {
  if (app !== null && scopes.length === 0) return "say whose it is";
  return [...scopes, ...spaces.map(({ space, right }) => `${right}:${space}`)].join(",");
}

function holdsSay(paper: Paper, { revokedAt, expiresAt }: TokenView): string {
  if (revokedAt !== null) return `revoked ${dayTimeOf(paper, revokedAt)}`;
  return expiresAt === null ? "without end" : `until ${dayTimeOf(paper, expiresAt)}`;
}

export function drawKeys(paper: Paper, { keys }: VisitorKeysView): string {
  return drawTable(
    paper,
    [
      { head: "KEY", cell: ({ kid }) => kid, drop: 0 },
      { head: "STAGE", cell: ({ stage }) => stage, drop: 0 },
      { head: "SINCE", cell: ({ since }) => dayTimeOf(paper, since), drop: 1 },
      {
        head: "ITS TOKENS HOLD",
        cell: ({ until }) => (until === null ? "" : `until ${dayTimeOf(paper, until)}`),
        drop: 0,
      },
    ],
    keys,
  );
}
