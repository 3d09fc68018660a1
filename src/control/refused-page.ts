/** A refusal as a page for a person's browser, and as a problem for everybody else. */
import type { Code } from "../evidence/codes.ts";
import { escapeHtml, prefersHtml, problemOf, proseHtml } from "../http/index.ts";
import type { ApiContext } from "./api.ts";
import { refuse } from "./api.ts";
import { page, pageHeaders } from "./pages.ts";

/** `next`: what to do, where the code's own advice is not it. */
export function refusedPage(c: ApiContext, code: Code, says: string, next = problemOf(code).next): Response {
  if (!prefersHtml(c.req.header("accept"))) return refuse(c, code, { detail: says, next });
  const { title, status } = problemOf(code);
  const body = `<h1>${escapeHtml(title)}</h1><p class="panel failed">${proseHtml(says)}</p><p>${proseHtml(next)}</p>
<p class="muted"><code>${escapeHtml(code)}</code>, <code>${escapeHtml(c.get("requestId"))}</code></p><p><a href="/">Console</a></p>`;
  return new Response(page(`${title} - Waybill`, body), { status, headers: pageHeaders });
}
