/**
 * What the Hub's clients ask beside their work: `POST /api/validate-yaml` before each README, `GET R/auth-check[/write]`, templates and search of
 * Spaces (R: `/api/{models,datasets,spaces}/OWNER/NAME`).
 */
import { z } from "zod";
import { parseFrontMatter } from "../../../build/front-matter.ts";
import type { Route } from "../../api.ts";
import { mayKnow, notFor, problemResponse } from "../../api.ts";
import { problemOf } from "../../../http/index.ts";
import { gateFormOf } from "../../gate-form.ts";
import { cardOf, cardProblems, hasCard } from "../../hub-cards.ts";
import { jsonBody } from "../../json-body.ts";
import { anyRepo, readableRepo, writableRepo } from "./asked-repo.ts";
import { noFiles } from "./gate.ts";

const foundMost = 50;
const page = z.object({
  content: z.string().max(400_000),
  repoType: z.enum(["model", "dataset", "space"]).nullish(),
});

export const moreRoute: Route = (api, server) => {
  api.post("/api/validate-yaml", async (c) => {
    const asked = await jsonBody(c, page);
    if (asked instanceof Response) return asked;
    const found = asked.repoType === "space" ? ofSpace(asked.content) : ofCard(asked.content);
    const messages = (list: readonly string[]): readonly object[] => list.map((message) => ({ message }));
    const answer = { errors: messages(found.problems), warnings: messages(found.warnings) };
    if (found.problems.length === 0) return c.json(answer);
    const detail = `The page's front matter is wrong: ${found.problems.join("; ")}`;
    const problem = problemOf("control/invalid", { waybill: c.get("requestId"), detail });
    const { headers } = problemResponse(problem);
    return new Response(JSON.stringify({ ...problem, error: detail, ...answer }), { status: 400, headers });
  });

  api.get(`${anyRepo}/auth-check`, async (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    return (await noFiles(c, server, repo)) ?? c.json({});
  });
  // Not by its method: it asks whether one may write.
  api.get(`${anyRepo}/auth-check/write`, (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    return asked.caller.grants("write", repo.key) ? c.json({}) : notFor(c, "write");
  });

  api.get("/api/spaces/templates", (c) => c.json({ templates: [] }));
  api.get("/api/spaces/semantic-search", async (c) => {
    const words = (c.req.query("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const found: object[] = [];
    for (const repo of server.hub.repos.list("spaces").toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      if (repo.private && !mayKnow(c, repo.owner, "read", repo.key)) continue;
      const { data } = await server.hub.cards.of(repo);
      const title = typeof data?.["title"] === "string" ? data["title"] : repo.name;
      const described = typeof data?.["short_description"] === "string" ? data["short_description"] : "";
      const about = `${repo.id} ${title} ${described}`.toLowerCase();
      if (!words.every((word) => about.includes(word))) continue;
      const runtime = server.spaces.hubView(repo.id, { inside: false })?.runtime;
      found.push({ id: repo.id, author: repo.owner, title, private: repo.private, runtime });
      if (found.length === foundMost) break;
    }
    return c.json(found);
  });
};

/** A form that cannot be asked is no fault of what the page is for; but nobody gets access by it. */
function ofCard(content: string): { readonly problems: readonly string[]; readonly warnings: readonly string[] } {
  const form = gateFormOf(cardOf(content));
  const missing = hasCard(content) ? [] : ["no front matter: it is found by its name alone"];
  return { problems: cardProblems(content), warnings: [...missing, ...(form.ok ? [] : form.problems)] };
}

function ofSpace(content: string): { readonly problems: readonly string[]; readonly warnings: readonly string[] } {
  const front = parseFrontMatter(content);
  const says = (remarks: readonly { readonly line: number | null; readonly message: string }[]): readonly string[] =>
    remarks.map(({ line, message }) => (line === null ? message : `line ${line}: ${message}`));
  return { problems: front.ok ? [] : says(front.problems), warnings: says(front.warnings) };
}
