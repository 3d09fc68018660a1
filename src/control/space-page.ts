/** A Space's page: its state, its addresses, and how its app and its builds are closed off and limited. No script, no foreign request. */
import type { SpaceView } from "../contract/api.ts";
import { buildLimitsSay, limitsSay, type Isolation } from "../contract/isolation.ts";
import { escapeHtml, proseHtml } from "../http/index.ts";
import { appLinks, isolationPanel, page, timeHtml } from "./pages.ts";

/** `view` is what anybody may know of it; `account` who is signed in. */
export function spacePage(view: SpaceView, isolation: Isolation, account: string | null): string {
  const { id, sdk, state, since, says, ends, addresses, limits } = view;
  const links = appLinks(addresses, account).join("<br>");
  const builds =
    isolation.builds === undefined
      ? none("its time and what it writes to the disk are looked at; nothing else limits it")
      : rows(buildLimitsSay(isolation.builds));
  return page(
    `${id} - Waybill`,
    `<h1>${escapeHtml(id)}</h1><p class="muted">${escapeHtml(sdk ?? "no release yet")}</p>
<div class="panel"><strong>${escapeHtml(state)}</strong> <span class="muted">since ${timeHtml(since)}</span><br>${proseHtml(says)}<br><span class="muted">${proseHtml(ends)}</span></div><p>${links}</p>
<h2>Isolation: ${escapeHtml(isolation.level)}</h2>${isolationPanel(isolation)}
<h2>Limits of its app</h2>${limits === null ? none(withoutLimits(view, isolation)) : rows(limitsSay(limits))}
<h2>Limits of a build</h2>${builds}<p><a href="/">Console</a></p>`,
  );
}

function withoutLimits({ sdk }: SpaceView, { level }: Isolation): string {
  if (sdk === "static") return "no app runs: its files are served by the platform";
  return level === "none" ? "nothing limits it" : "none of its replicas is ready";
}

function none(says: string): string {
  return `<p class="panel">${proseHtml(says)}</p>`;
}

function rows(pairs: ReturnType<typeof limitsSay>): string {
  const items = pairs.map(([name, says]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(says)}</dd>`).join("");
  return `<dl class="panel">${items}</dl>`;
}
