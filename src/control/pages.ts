/** Pages for people: the plain console with what runs, and the story of one work. No script, no foreign request. */
import { escapeHtml, proseHtml, wholeHtml } from "../http/index.ts";
import type { SpaceView } from "../contract/api.ts";
import { handOverPaths } from "../contract/hand-over.ts";
import type { PoolView } from "../contract/pools.ts";
import type { StatusView } from "../contract/status.ts";
import { isOpen, probesSay, type Isolation } from "../contract/isolation.ts";
import { clockSays } from "../evidence/clocks.ts";
import { chainSays } from "../evidence/chain.ts";
import type { Entry } from "../evidence/entry.ts";
import { idKindsSay } from "../evidence/id-kinds.ts";
import type { Charge, Explanation, Link, Verdict } from "../evidence/verdict.ts";

/** What every page of the console is sent with. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  "x-content-type-options": "nosniff",
  // A page that opened the console, or was opened by it, has no hold on its window.
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // A form of ours says where it comes from, no other site is told.
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
};

/** The console shows what was so when it was sent; it asks again after so long. */
const refreshSeconds = 10;

const style = `
:root{color-scheme:light dark;--ground:light-dark(#fff,#0e1116);--panel:light-dark(#f6f7f9,#171b22);--text:light-dark(#1b1f24,#e6e9ee);
--muted:light-dark(#57606a,#9aa4b2);--line:light-dark(#848c97,#6b7480);--failed:light-dark(#b3261e,#ff8a80);--link:light-dark(#0b5cad,#6cb2ff);
--platform:light-dark(#6f3fb5,#c3a1ff);--app:light-dark(#0b5cad,#6cb2ff);--visitor:light-dark(#0f6b4f,#5fd3a5);--outside:light-dark(#8a5a00,#e9b44c)}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:clamp(1.15rem,5.5vw,1.5rem);line-height:1.25;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}a{color:var(--link)}a:focus-visible{outline:2px solid;outline-offset:2px}.muted{color:var(--muted)}.failed{color:var(--failed);font-weight:600}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem;margin:.5rem 0}
.platform{color:var(--platform)}.app{color:var(--app)}.visitor{color:var(--visitor)}.outside{color:var(--outside)}
table{border-collapse:collapse;width:100%}th,td{text-align:start;padding-block:.5rem;padding-inline:0 1rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--muted);font-size:.85rem}td.whole{white-space:nowrap;overflow-wrap:normal}td a{display:block;min-height:24px}
code,pre{font:.9em/1.45 ui-monospace,monospace}.badge{border:1px solid var(--line);border-radius:999px;padding:0 .6rem;font-size:.85rem;white-space:nowrap}
dl{display:grid;gap:.25rem 1rem;grid-template-columns:max-content minmax(0,1fr);margin:1rem 0}dt{color:var(--muted)}dd{margin:0}
ul{margin:0;padding:0;list-style:none}
button,input:not([type=checkbox],[type=radio]),select{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:6px;padding:.25rem .75rem;min-height:2rem;max-width:100%}
button{background:var(--panel);cursor:pointer}button:focus-visible,input:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media(max-width:44rem){thead{position:absolute;clip-path:inset(50%)}tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
td{display:block;border:0;padding:.1rem 0}td.whole{white-space:normal}}`;

export function page(title: string, body: string, options: { refreshing?: boolean; onward?: string } = {}): string {
  const { refreshing = false, onward } = options;
  const goesOn = onward === undefined ? "" : `<meta http-equiv="refresh" content="0;url=${wholeHtml(onward)}">`;
  const refresh = refreshing ? `<meta http-equiv="refresh" content="${refreshSeconds}">` : goesOn;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">${refresh}<link rel="icon" href="data:,"><title>${escapeHtml(title)}</title><style>${style}</style></head><body><main>${body}</main></body></html>`;
}

/** The console's first page: pools, and each Space with its state and why. */
export function consolePage(status: StatusView, spaces: readonly SpaceView[], account: string | null): string {
  const table = spaces.length
    ? `<table><thead><tr><th>Space</th><th>State</th><th>Addresses: by name, and for programs</th></tr></thead><tbody>${spaces.map((space) => spaceRow(space, account)).join("")}</tbody></table>`
    : `<p class="panel">No Space yet. Make one: <code>waybill deploy ./my-app --space OWNER/my-app</code></p>`;
  return page(
    "Waybill",
    `<h1>Waybill</h1><p class="muted">${escapeHtml(status.version)}, ready in ${status.bootMs} ms, journal at ${status.journalIndex}; this page renews itself every ${refreshSeconds} s</p>${signedInLine(account)}
<h2>GPUs</h2>${status.pools.map(poolPanel).join("") || '<p class="panel">This platform has no pool.</p>'}
<h2>Spaces</h2>${table}
<h2>Isolation</h2>${status.isolation === null ? "" : isolationPanel(status.isolation)}
<p class="muted">Any id has a story: <code>waybill explain ID</code>, or <code>${escapeHtml(status.url)}/w/ID</code></p>`,
    { refreshing: true },
  );
}

/** To each address. Who is signed in here is so there too by the first, which is for people: nobody who pays visits as a stranger. */
export function appLinks(addresses: readonly string[], account: string | null): readonly string[] {
  return addresses.map((address, at) => {
    const to = account !== null && at === 0 ? `${address}${handOverPaths.signIn}` : address;
    return `<a href="${escapeHtml(to)}">${escapeHtml(address)}</a>`;
  });
}

/** Whom the console takes its reader for. */
function signedInLine(account: string | null): string {
  return account === null
    ? `<p><a href="/login">Sign in</a></p>`
    : `<p>Signed in as <a href="/settings">${escapeHtml(account)}</a></p>`;
}

export function isolationPanel(isolation: Isolation): string {
  return `<p class="panel">${proseHtml(isolation.says)}${probesHtml(isolation)}</p>`;
}

function probesHtml(isolation: Isolation): string {
  const says = probesSay(isolation);
  return says === null
    ? ""
    : `<br><span class="${isOpen(isolation) ? "failed" : "muted"}">Probes: ${proseHtml(says)}</span>`;
}

function spaceRow({ id, sdk, state, since, says, build, addresses }: SpaceView, account: string | null): string {
  const buildLink = build ? `<a href="/w/${escapeHtml(build.id)}">build ${escapeHtml(build.id)}</a>` : "";
  const links = appLinks(addresses, account).join("");
  return `<tr><td><strong><a href="/spaces/${escapeHtml(id)}">${escapeHtml(id)}</a></strong><br><span class="muted">${escapeHtml(sdk ?? "no release yet")}</span></td>
<td><span${state === "failing" || state === "crash-looping" ? ' class="failed"' : ""}>${escapeHtml(state)}</span> <span class="muted">since ${timeHtml(since)}</span><br><span class="muted">${proseHtml(says)}</span>${buildLink}</td>
<td class="whole">${links}</td></tr>`;
}

function poolPanel(pool: PoolView): string {
  const simulated = pool.simulated ? ' <span class="badge">simulated: no real GPU</span>' : "";
  const waits = pool.waiting === 0 ? "nobody waits" : `${pool.waiting} waiting`;
  return `<p class="panel"><strong>${escapeHtml(pool.name)}</strong>${simulated}<br>${pool.leased} of ${pool.slots} slots leased on ${pool.devices} ${pool.simulated ? "simulated " : ""}${pool.devices === 1 ? "card" : "cards"}, ${waits}; a call waits at most ${pool.queueLimitMs / 1000} s</p>`;
}

const ownerSigns = {
  platform: "■ platform",
  app: "● app",
  visitor: "▲ visitor",
  outside: "◆ outside",
  unknown: "? unknown",
} as const;

/** The story of one work: its verdict for everyone who has the id, its entries for those who may see them. */
export function workPage(explanation: Explanation, { details }: { details: boolean }): string {
  const { id, kind, outcome, verdict, links } = explanation;
  const told = verdict ? verdictPanel(verdict) : `<p class="panel">${proseHtml(explanation.sentence)}</p>`;
  // Whoever has the id sees the page.
  const counted =
    details && explanation.payer ? `<p class="muted">Counted as ${escapeHtml(explanation.payer.says)}.</p>` : "";
  // A call and its request are the same visitor's; replicas and builds are the owner's.
  const shown = details ? links : links.filter((link) => link.kind === "call" || link.kind === "request");
  const linked = shown.length === 0 ? "" : `<h2>Linked</h2><ul>${shown.map(linkItem).join("")}</ul>`;
  const { chain = [] } = explanation;
  const chained = details && chain.length > 0 ? `<p class="muted">${escapeHtml(chainSays(chain))}</p>` : "";
  const clocks = details ? (explanation.clocks ?? []).flatMap((clock) => clockSays(clock) ?? []) : [];
  const clocked = clocks.map((says) => `<p class="muted">Clock: ${escapeHtml(says)}.</p>`).join("");
  const entries = details
    ? `<h2>Entries</h2><table><thead><tr><th>Time</th><th>Hop</th><th>Mark</th><th>Entry</th><th>Facts</th></tr></thead><tbody>${explanation.entries.map(entryRow).join("")}</tbody></table>`
    : `<p class="muted">The proof is for the owner of the Space and for the operator: <code>waybill explain ${escapeHtml(id)}</code></p>`;
  return page(
    `${id} - Waybill`,
    `<p class="muted">${escapeHtml(kind)}, <span${outcome === "ok" ? "" : ' class="failed"'}>${escapeHtml(outcome)}</span></p><h1>${escapeHtml(id)}</h1>${told}${counted}${chained}${linked}${entries}${clocked}<p><a href="/">Console</a></p>`,
  );
}

/** Where the console for browsers has a page and there is no plain one. */
export function notBuiltPage(isBuilt: boolean): string {
  const says = isBuilt
    ? "This page is one of the console for browsers, which needs a script: the command line says the same (<code>waybill help</code>)."
    : "The console for browsers is not built here. In a clone <code>npm run console</code> builds it, and the platform's next start shows it.";
  return page(
    "No plain page - Waybill",
    `<h1>No plain page</h1><p class="panel">${says}</p><p><a href="/?plain">Console</a></p>`,
  );
}

/** What a browser gets for an id that nothing here has. */
export function noWorkPage(id: string): string {
  return page(
    "No such id - Waybill",
    `<h1>Nothing here has the id <code>${escapeHtml(id)}</code></h1><p class="panel">Check it: ids are shown whole. ${escapeHtml(idKindsSay())} What happened before this platform's record began is not in it.</p><p><a href="/">Console</a></p>`,
  );
}

function verdictPanel({ sentence, boundary, code, certainty, owner, charge, next }: Verdict): string {
  return `<div class="panel"><strong>${proseHtml(sentence)}</strong><dl>
<dt>stopped at</dt><dd>${escapeHtml(`${boundary}/${code}`)}, ${certainty}</dd>
<dt>owner</dt><dd class="${owner}">${ownerSigns[owner]}</dd>
${charge ? `<dt>charged</dt><dd>${chargeSays(charge)}</dd>` : ""}
<dt>next</dt><dd>${proseHtml(next)}</dd></dl></div>`;
}

function chargeSays({ chargedMs, heldMs, releasedMs, receipt }: Charge): string {
  const back = releasedMs > 0 ? `, ${releasedMs / 1000} s given back` : "";
  return `${chargedMs / 1000} s of ${heldMs / 1000} s held${back}${receipt ? `; receipt <code>${escapeHtml(receipt)}</code>` : ""}`;
}

function linkItem({ id, kind, outcome, code, sentence, likely }: Link): string {
  const ended = code ?? outcome ?? "";
  return `<li>${escapeHtml(kind)} <a href="/w/${escapeHtml(id)}">${escapeHtml(id)}</a> ${escapeHtml(ended)}${sentence ? `<br><span class="muted">${proseHtml(sentence)}</span>` : ""}${likely ? `<br><span class="muted">${escapeHtml(`likely: ${likely}`)}</span>` : ""}</li>`;
}

function entryRow({ at, hop, mark, id, facts }: Entry): string {
  return `<tr><td class="whole"><code>${escapeHtml(at)}</code></td><td>${escapeHtml(hop)}</td><td>${escapeHtml(mark)}</td><td><code>${escapeHtml(id)}</code></td><td><code>${escapeHtml(JSON.stringify(facts))}</code></td></tr>`;
}

/** In UTC, and said so: a page without script cannot know its reader's zone. */
export function timeHtml(at: string): string {
  return `<time datetime="${escapeHtml(at)}">${escapeHtml(at.slice(0, 16).replace("T", " "))} UTC</time>`;
}
