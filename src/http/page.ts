/** The pages that a browser gets where the platform itself answers: readable, without script, at most 10 kB. */
import { createHash } from "node:crypto";

import type { Problem } from "../contract/problem.ts";

/** Where between visitor and app the work stopped. */
export type Break = "visitor" | "edge" | "app";

export interface PageFacts {
  readonly stoppedAt: Break;
  /** Seconds after which another try makes sense, where that is known. */
  readonly retryAfterSeconds?: number;
  /** Proved unless said. */
  readonly certainty?: Certainty;
}

/** How sure it is where the work stopped, when the page is made: `open` where that is still to be found out. */
export type Certainty = "proved" | "likely" | "open";

const ownerSigns = { platform: "■ platform", app: "● app", visitor: "▲ visitor", outside: "◆ outside" } as const;
const certaintySays: Readonly<Record<Certainty, string>> = {
  proved: "proved",
  likely: "likely; the evidence says by what",
  open: "not known yet; the evidence says it once it is",
};
const stations = ["visitor", "edge", "app"] as const;
const stationNames = { visitor: "you", edge: "edge", app: "app" } as const;

const style = `:root{color-scheme:light dark;--g:light-dark(#fff,#0e1116);--t:light-dark(#1b1f24,#e6e9ee);--m:light-dark(#57606a,#9aa4b2);
--l:light-dark(#848c97,#6b7480);--f:light-dark(#b3261e,#ff8a80);--platform:light-dark(#6f3fb5,#c3a1ff);--app:light-dark(#0b5cad,#6cb2ff);
--visitor:light-dark(#0f6b4f,#5fd3a5);--outside:light-dark(#8a5a00,#e9b44c)}
body{background:var(--g);color:var(--t);font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:38rem;overflow-wrap:anywhere;padding:10vh 1.25rem 2rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1.5rem}a{color:inherit}a:focus-visible{outline:2px solid;outline-offset:2px}
ol{display:flex;flex-wrap:wrap;gap:.5rem;list-style:none;margin:0 0 1.5rem;padding:0}li+li::before{color:var(--l);content:"\\2013\\a0"}
li.stop{color:var(--f);font-weight:600}li.never{color:var(--m)}dl{display:grid;gap:.25rem 1rem;grid-template-columns:max-content 1fr;margin:1.5rem 0}
dt{color:var(--m)}dd{margin:0}code{font:.9em ui-monospace,monospace}.platform{color:var(--platform)}.app{color:var(--app)}.visitor{color:var(--visitor)}
.outside{color:var(--outside)}h2{color:var(--f);font-size:1.25rem;margin:0 0 1rem}ol.steps{display:block;list-style:decimal;padding-inline-start:1.5rem}
ol.steps li::before{content:none}ol.steps span{color:var(--m)}p.links a{display:inline-block;min-height:24px;margin-inline-end:1.25rem}`;

/** Allows the one style sheet by its hash and nothing else. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`;

/** A `detail` or id on a page is cut here, so that the page stays within its 10 kB whatever it quotes. */
const textMaxLength = 600;

/** The whole document. Everything that varies is escaped. */
export function problemPage(problem: Problem, facts: PageFacts): string {
  return `${pageTop(problem.title)}<h1>${escapeHtml(problem.title)}</h1>
${verdictHtml(problem, facts)}${pageEnd}`;
}

/** All of a page up to its first heading. */
export function pageTop(title: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><link rel="icon" href="data:,"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>
`;
}

export const pageEnd = "</main></body>\n</html>\n";

/** What stands below the sentence that says what happened: where it stopped, whose it is, and what to do. */
export function verdictHtml(problem: Problem, facts: PageFacts): string {
  const detail = problem.detail === problem.title ? "" : `<p>${linkedHtml(problem.detail)}</p>\n`;
  return `<ol aria-label="Where it stopped">${stations.map((station) => stationItem(station, facts.stoppedAt)).join("")}</ol>
${detail}<p>${linkedHtml(problem.next)}</p>
<dl>
<dt>owner</dt><dd class="${problem.owner}">${ownerSigns[problem.owner]}</dd>
<dt>certainty</dt><dd>${certaintySays[facts.certainty ?? "proved"]}</dd>
<dt>code</dt><dd>${escapeHtml(`${problem.boundary}/${problem.code}`)} (${problem.status})</dd>
<dt>charged</dt><dd>${facts.stoppedAt === "app" ? "nothing for this request; a GPU call that it made has a receipt of its own" : "nothing"}</dd>
<dt>again</dt><dd>${escapeHtml(retryWords(problem.retry, facts.retryAfterSeconds))}</dd>
${problem.waybill === undefined ? "" : `<dt>id</dt><dd><code>${escapeHtml(problem.waybill)}</code></dd>\n`}</dl>
<p class="links"><a href="">Try again</a>${problem.explain === undefined ? "" : `<a href="${escapeHtml(problem.explain)}">Evidence</a>`}</p>
`;
}

export function escapeHtml(text: string): string {
  return wholeHtml(text.length > textMaxLength ? `${text.slice(0, textMaxLength)}…` : text);
}

/** {@link escapeHtml} of what is nothing when it is cut, as an address; its maker bounds it. */
export function wholeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A sentence of ours as HTML: begins with a capital letter, and what stands between backticks is code. */
export function proseHtml(text: string): string {
  const html = escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
  return html.charAt(0).toUpperCase() + html.slice(1);
}

/** {@link proseHtml} on a page of the address that was asked for: its paths of ours lead there. */
function linkedHtml(text: string): string {
  return proseHtml(text).replace(/<code>(\/\.waybill\/[a-z-]+)<\/code>/g, '<a href="$1">$1</a>');
}

function stationItem(station: Break, stoppedAt: Break): string {
  const place = stations.indexOf(station) - stations.indexOf(stoppedAt);
  if (place === 0) return `<li class="stop">${stationNames[station]} ✕ stopped here</li>`;
  return place < 0
    ? `<li>${stationNames[station]} ✓</li>`
    : `<li class="never">${stationNames[station]} (not reached)</li>`;
}

function retryWords(retry: Problem["retry"], seconds: number | undefined): string {
  if (retry === "never") return "not before something is changed";
  if (seconds !== undefined) return `in about ${seconds} s`;
  return retry === "now" ? "worth a try at once" : "later";
}
