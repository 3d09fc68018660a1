/** A model's or a dataset's page: whose it is, and where it is gated what its owner asks of those who want its files. No script, no foreign request. */
import type { GateField, GateForm, OwnAccess } from "../contract/access.ts";
import { escapeHtml, wholeHtml } from "../http/index.ts";
import { pathOf, repoNouns } from "../hub/repo-name.ts";
import { iso } from "../stdx/time.ts";
import { answerMax } from "./gate-form.ts";
import type { HubRepo } from "./hub-repos.ts";
import { page, timeHtml } from "./pages.ts";

export interface PageReader {
  /** Who is signed in. */
  readonly account: string | null;
  /** Somebody waits for this reader's decision. */
  readonly isAnybodyWaiting: boolean;
  /** Why what they sent was not taken. */
  readonly says?: string;
  /** What that was, by the fields' names: who mends one answer keeps the others. */
  readonly given?: Readonly<Record<string, string>>;
}

export function repoPage(repo: HubRepo, access: OwnAccess, reader: PageReader): string {
  const { id, kind, changedAt } = repo;
  const seen = [repo.private ? "private" : "public", ...(repo.gated === "no" ? [] : ["gated"])];
  const wrong = reader.says === undefined ? "" : `<p class="panel failed" role="alert">${escapeHtml(reader.says)}</p>`;
  const flag = kind === "models" ? "" : ` --repo-type ${kind.slice(0, -1)}`;
  return page(
    `${id} - Waybill`,
    `<h1>${escapeHtml(id)}</h1><p class="muted">${escapeHtml(repoNouns[kind])}, ${seen.join(", ")}; changed ${timeHtml(iso(changedAt))}</p>
<p class="panel"><code>hf download ${escapeHtml(id)}${flag}</code></p>${wrong}${accessHtml(repo, access, reader)}<p><a href="/">Console</a></p>`,
  );
}

function accessHtml(repo: HubRepo, access: OwnAccess, { account, isAnybodyWaiting, given = {} }: PageReader): string {
  const { status, form, formProblem, rejectionReason } = access;
  if (access.gated === false) return "";
  const name = pathOf(repo).slice(1);
  const says = (text: string): string => `<h2>Access</h2><p class="panel">${text}</p>`;
  if (status === "open") {
    const waits = isAnybodyWaiting ? "Somebody waits for an answer" : "Nobody waits for an answer";
    return says(`${waits}: <code>waybill access list ${escapeHtml(name)}</code>`);
  }
  if (status === "accepted") return says(`${escapeHtml(account ?? "")} has access to its files.`);
  if (status === "rejected")
    return says(
      `It was turned down${rejectionReason === null ? "." : `: ${escapeHtml(rejectionReason)}`} <span class="muted">${escapeHtml(repo.owner)} can still give it.</span>`,
    );
  if (status === "pending") return says(`It was asked for, and waits for ${escapeHtml(repo.owner)}.`);
  if (form === null) return says(wholeHtml(formProblem ?? ""));
  return askHtml(repo, form, account, given);
}

/** All of it, as people are to read what they agree to, and an answer that is cut is not the one that was asked for; gate-form.ts bounds it. */
function askHtml(
  repo: HubRepo,
  form: GateForm,
  account: string | null,
  given: Readonly<Record<string, string>>,
): string {
  const { heading, description, prompt, button, fields } = form;
  const decision = repo.gated === "auto" ? "It is given at once." : `${repo.owner} decides.`;
  const asked = fields.map((field, at) =>
    fieldHtml(field, at, Object.hasOwn(given, field.name) ? given[field.name] : ""),
  );
  const shared = `${repo.owner} and whoever may write to it see your account's name and what you fill in.`;
  const terms = prompt === null ? "" : `<div class="panel" style="white-space:pre-wrap">${wholeHtml(prompt)}</div>`;
  const rest =
    account === null
      ? `<p><a href="/login?${escapeHtml(new URLSearchParams({ next: pathOf(repo) }).toString())}">Sign in</a> to ask for it.</p>`
      : `<form class="panel" method="post" action="${escapeHtml(pathOf(repo))}/ask-access">${asked.join("")}
<p class="muted">As ${escapeHtml(account)}. ${escapeHtml(shared)}</p><p><button>${wholeHtml(button ?? "Ask for access")}</button></p></form>`;
  return `<h2>${wholeHtml(heading ?? "Its files are given to those who have access")}</h2><p>${wholeHtml(description ?? decision)}</p>${terms}${rest}`;
}

function fieldHtml(field: GateField, at: number, given = ""): string {
  const name = escapeHtml(field.name);
  const attributes = `id="f${at}" name="${name}" required`;
  if (field.type === "checkbox")
    return `<p><label for="f${at}"><input type="checkbox" ${attributes}${given === "" ? "" : " checked"}> ${name}</label></p>`;
  const label = `<p><label for="f${at}">${name}</label></p>`;
  if (field.type !== "select")
    return `${label}<p><input type="${field.type === "date_picker" ? "date" : "text"}" maxlength="${answerMax}" value="${wholeHtml(given)}" ${attributes}></p>`;
  const options = field.options
    .map((option) => {
      const text = wholeHtml(option);
      return `<option value="${text}"${option === given ? " selected" : ""}>${text}</option>`;
    })
    .join("");
  return `${label}<p><select ${attributes}><option value=""></option>${options}</select></p>`;
}
