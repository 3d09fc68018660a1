/**
 * Access to gated models and datasets (R: `/api/{models,datasets}/OWNER/NAME`). Whoever may write decides, in the Hub's form: `GET
 * R/user-access-request/{pending,accepted,rejected}`, `POST …/handle`, `POST …/grant`. Whoever wants the files asks: `GET`, `POST` and
 * `DELETE R/user-access-request`, or on the repository's page, `POST /[datasets/]OWNER/NAME/ask-access`.
 */
import { z } from "zod";
import { accessStatuses, type AccessRow, type AccessStatus } from "../../../catalog/access-requests.ts";
import type { AccessRequestView, OwnAccess } from "../../../contract/access.ts";
import { prefersHtml } from "../../../http/index.ts";
import { codeRow } from "../../../evidence/codes.ts";
import { pathOf, repoName, type RepoKind } from "../../../hub/repo-name.ts";
import { iso } from "../../../stdx/time.ts";
import { inPerson, knownCaller, mayKnow, refuseAs, type ApiContext, type Route } from "../../api.ts";
import { noteChange } from "../../auditing.ts";
import type { Caller } from "../../caller.ts";
import { formFields } from "../../form-body.ts";
import { answersTo, gateFormOf, type Answers } from "../../gate-form.ts";
import type { AccessDone } from "../../gates.ts";
import { gatedWord, type HubRepo } from "../../hub-repos.ts";
import { jsonBody, optionalBody } from "../../json-body.ts";
import { pageHeaders } from "../../pages.ts";
import { isPlain } from "../../plain-text.ts";
import { repoPage, type PageReader } from "../../repo-page.ts";
import type { Server } from "../../server.ts";
import { no, type Refused } from "../../spaces.ts";
import { anyRepo, readableRepo, refuseWish, writableRepo } from "./asked-repo.ts";
import { nextPage, pageOf } from "./pages.ts";

const listMost = 1_000;
/** What is kept of a form (gate-form.ts) in percent signs, and its fields' names. */
const formMaxBytes = 64 << 10;
/** As the Hub's clients document it. */
const reasonMax = 200;
/** Their session ended while they filled it in. */
const signedOut = "Nobody is signed in here any more, and nothing was asked for: sign in, and ask again.";
const accountName = z.string().min(1).max(64);
const askWish = z.strictObject({ fields: z.record(z.string(), z.unknown()).nullish() });
const grantWish = z.object({ user: accountName });
const handleWish = z.object({
  user: accountName.nullish(),
  requestId: z.string().min(1).max(100).nullish(),
  status: z.enum(accessStatuses, "write accepted, rejected or pending"),
  rejectionReason: z
    .string()
    .max(reasonMax, `a reason has at most ${reasonMax} letters`)
    .refine(isPlain, "write it in one line of plain text")
    .nullish(),
});

export const accessRoute: Route = (api, server) => {
  const { gates } = server;

  /** What an earlier try of this request has decided. */
  const standing = async (repo: HubRepo, of: Parameters<typeof gates.find>[1]): Promise<AccessDone | undefined> => {
    const row = server.effects.made && (await gates.find(repo, of));
    return row && { ok: true, row };
  };

  api.get(`${anyRepo}/user-access-request`, async (c) => {
    const repo = readableRepo(c, server);
    return repo instanceof Response ? repo : c.json(await ownAccess(server, repo, knownCaller(c)));
  });
  api.post(`${anyRepo}/user-access-request`, async (c) => {
    const found = asker(c, server);
    if (found instanceof Response) return found;
    const asked = await optionalBody(c, askWish);
    if (asked instanceof Response) return asked;
    const { repo, caller } = found;
    const done = await ask(server, repo, caller, asked.fields ?? {});
    return done.ok ? c.json(await ownAccess(server, repo, caller)) : refuseAs(c, done);
  });
  api.delete(`${anyRepo}/user-access-request`, async (c) => {
    const found = asker(c, server);
    if (found instanceof Response) return found;
    const { repo, caller } = found;
    const done = server.effects.made ? undefined : await gates.withdraw(repo, caller.account);
    return done?.ok === false ? refuseAs(c, done) : c.json(await ownAccess(server, repo, caller));
  });

  api.get(`${anyRepo}/user-access-request/:status{(?:pending|accepted|rejected)}`, async (c) => {
    const found = decider(c, server);
    if (found instanceof Response) return found;
    const page = pageOf(c, listMost);
    const status = c.req.param("status") as AccessStatus;
    const rows = await gates.list(found.repo, status, { skip: page.skip, limit: page.limit + 1 });
    const shown = rows.slice(0, page.limit).map(viewOf);
    return c.json(shown, 200, nextPage(c, page, rows.length <= page.limit));
  });
  api.post(`${anyRepo}/user-access-request/handle`, async (c) => {
    const found = decider(c, server);
    if (found instanceof Response) return found;
    const asked = await jsonBody(c, handleWish);
    if (asked instanceof Response) return asked;
    const { user, requestId, status, rejectionReason: reason } = asked;
    if ((user ?? null) === null ? !requestId : requestId)
      return refuseWish(c, "The body has to name one of `user` and `requestId`.");
    if (reason && status !== "rejected") return refuseWish(c, "A `rejectionReason` goes with the status rejected.");
    const of = user ? { account: user } : { id: requestId ?? "" };
    const by = found.caller.account;
    const decision = { status, reason: reason || null, by };
    return answer(c, (await standing(found.repo, of)) ?? (await gates.decide(found.repo, of, decision)));
  });
  api.post(`${anyRepo}/user-access-request/grant`, async (c) => {
    const found = decider(c, server);
    if (found instanceof Response) return found;
    const asked = await jsonBody(c, grantWish);
    if (asked instanceof Response) return asked;
    const by = found.caller.account;
    return answer(
      c,
      (await standing(found.repo, { account: asked.user })) ?? (await gates.grant(found.repo, asked.user, by)),
    );
  });

  for (const [path, kind] of [
    ["/datasets/:owner/:name", "datasets"],
    ["/:owner/:name", "models"],
  ] as const) {
    api.get(path, async (c, next) => {
      const repo = pageRepo(c, server, kind);
      if (repo === undefined) return next();
      return await show(c, server, repo, {});
    });
    api.post(`${path}/ask-access`, async (c, next) => {
      const caller = inPerson(c);
      const repo = pageRepo(c, server, kind);
      if (caller instanceof Response) {
        if (repo === undefined || c.get("caller") !== null || !prefersHtml(c.req.header("accept"))) return caller;
        return await show(c, server, repo, { says: signedOut, status: caller.status });
      }
      if (repo === undefined) return next();
      const fields = await formFields(c, formMaxBytes);
      if (fields instanceof Response) return fields;
      const done = notGated(repo) ?? (await ask(server, repo, caller, fields));
      if (!prefersHtml(c.req.header("accept")))
        return done.ok ? c.json(await ownAccess(server, repo, caller)) : refuseAs(c, done);
      if (done.ok) return c.redirect(pathOf(repo), 303);
      return await show(c, server, repo, { says: done.says, status: codeRow(done.code).status, given: fields });
    });
  }
};

/** Undefined also where it is not the caller's to know of. */
function pageRepo(c: ApiContext, server: Server, kind: RepoKind): HubRepo | undefined {
  const { owner = "", name = "" } = c.req.param() as Readonly<Record<string, string>>;
  const repo = server.hub.repos.find(repoName(kind, owner, name));
  return repo && (!repo.private || mayKnow(c, repo.owner, "read", repo.key)) ? repo : undefined;
}

async function show(
  c: ApiContext,
  server: Server,
  repo: HubRepo,
  { status = 200, ...told }: Pick<PageReader, "says" | "given"> & { readonly status?: number },
): Promise<Response> {
  const caller = knownCaller(c);
  const access = await ownAccess(server, repo, caller);
  const decides = caller?.may("write", { owner: repo.owner, space: repo.key }) === true;
  const pending = decides && repo.gated !== "no" ? await server.gates.list(repo, "pending", { skip: 0, limit: 1 }) : [];
  const text = repoPage(repo, access, {
    ...{ account: c.get("caller")?.account ?? null, isAnybodyWaiting: pending.length > 0 },
    ...told,
  });
  return new Response(text, { status, headers: pageHeaders });
}

/** Who asks for themselves, and not an app in their name: they agree to the owner's terms. */
function asker(c: ApiContext, server: Server): { readonly repo: HubRepo; readonly caller: Caller } | Response {
  const caller = inPerson(c);
  if (caller instanceof Response) return caller;
  const repo = readableRepo(c, server);
  if (repo instanceof Response) return repo;
  const none = notGated(repo);
  return none ? refuseAs(c, none) : { repo, caller };
}

function decider(c: ApiContext, server: Server): { readonly repo: HubRepo; readonly caller: Caller } | Response {
  const found = writableRepo(c, server, "write");
  if (found instanceof Response) return found;
  const none = notGated(found.repo);
  return none ? refuseAs(c, none) : found;
}

function notGated(repo: HubRepo): Refused | undefined {
  if (repo.gated !== "no") return undefined;
  return no("control/invalid", `${repo.id} is not gated: who may know of it may read its files.`);
}

async function ask(
  server: Server,
  repo: HubRepo,
  caller: Caller,
  given: Readonly<Record<string, unknown>>,
): Promise<{ readonly ok: true } | Refused> {
  if (server.effects.made) return { ok: true };
  if (caller.may("write", { owner: repo.owner, space: repo.key }))
    return no("control/conflict", `${caller.account} may write to ${repo.id}, and reads its files without asking.`);
  const read = gateFormOf((await server.hub.cards.of(repo)).data);
  if (!read.ok) return no("control/conflict", cannotAsk(repo, read.problems));
  const filled = answersTo(read.form, given);
  if (!filled.ok) return no("control/invalid", filled.problems.join("; "));
  return server.gates.ask(repo, caller.account, filled.answers satisfies Answers);
}

function cannotAsk({ id, owner }: HubRepo, problems: readonly string[]): string {
  const what = problems.slice(0, 5).join("; ");
  return `What the front matter of ${id} asks of people cannot be asked: ${what}. ${owner} can mend its README.md, or give access without being asked.`;
}

async function ownAccess(server: Server, repo: HubRepo, caller: Caller | null): Promise<OwnAccess> {
  const isOpen = repo.gated === "no" || caller?.may("write", { owner: repo.owner, space: repo.key }) === true;
  const row = caller === null || isOpen ? undefined : await server.gates.find(repo, { account: caller.account });
  const isAsked = !isOpen && (row === undefined || row.status === "pending");
  const form = isAsked ? gateFormOf((await server.hub.cards.of(repo)).data) : undefined;
  return {
    ...{ gated: gatedWord(repo), status: isOpen ? "open" : (row?.status ?? "none") },
    ...{ requestId: row?.id ?? null, timestamp: row ? iso(row.askedAt) : null, rejectionReason: row?.reason ?? null },
    form: form?.ok === true ? form.form : null,
    formProblem: form?.ok === false ? cannotAsk(repo, form.problems) : null,
  };
}

function answer(c: ApiContext, done: AccessDone | undefined): Response {
  if (done?.ok === false) return refuseAs(c, done);
  // Whose it is may have been asked by its id.
  if (done) noteChange(c, { user: done.row.account });
  return c.json(done ? viewOf(done.row) : {});
}

function viewOf(row: AccessRow): AccessRequestView {
  const { account, id, status, askedAt, fields, reason, decidedAt, decidedBy } = row;
  return {
    requestId: id,
    user: { _id: account, user: account, fullname: account, avatarUrl: "", isPro: false, type: "user" },
    ...{ status, timestamp: iso(askedAt) },
    ...(fields !== null && { fields }),
    ...(reason !== null && { rejectionReason: reason }),
    ...(decidedAt !== null && { decided: { at: iso(decidedAt), by: decidedBy } }),
  };
}
