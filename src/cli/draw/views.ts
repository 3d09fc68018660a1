/** One drawing a view of the API: lists as tables, single things as a few lines. */
import { stripVTControlCharacters } from "node:util";
import { passedSay } from "../../evidence/pool-route.ts";
import { count } from "../../evidence/words.ts";
import type { AllowanceView, BudgetView } from "../../contract/allowances.ts";
import type {
  BoardView,
  CallView,
  FunctionView,
  QueueView,
  QuotaView,
  QuoteView,
  TierView,
  WhoAmI,
} from "../../contract/api.ts";
import type { PoolView } from "../../contract/pools.ts";
import type { LogLine } from "../../contract/agent.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, lengthOf, secondsOf, timeOf, tone, wrap } from "./paper.ts";
import { drawTable } from "./table.ts";

/** SGR, the sequences that set colours and weights; kept by the split, as every second part. */
const colorSequence = /(\u001b\[[0-9;]{0,20}m)/;
const controlCharacter = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** A state with its sentence, where that says more. */
export function stateSays(state: string, says: string): string {
  return says === state || says === "" ? state : `${state}: ${says}`;
}

export function drawCalls(paper: Paper, calls: readonly CallView[]): string {
  if (calls.length === 0)
    return "No GPU calls in the record. One is made when an app's gpu() function runs for this account; another's: waybill calls --account NAME\n";
  return drawTable(
    paper,
    [
      { head: "TIME", cell: (call) => timeOf(paper, call.at), drop: 3 },
      { head: "CALL", cell: (call) => call.id, drop: 0 },
      { head: "SPACE", cell: (call) => call.space, drop: 2 },
      { head: "ENDED", cell: (call) => call.code ?? call.outcome ?? call.stage, drop: 1 },
      { head: "HOLDS", cell: (call) => secondsOf(call.heldMs), right: true, drop: 4 },
      { head: "QUEUED", cell: (call) => secondsOf(call.queuedMs), right: true, drop: 5 },
      { head: "USED", cell: (call) => secondsOf(call.usedMs), right: true, drop: 4 },
      { head: "CHARGED", cell: (call) => secondsOf(call.chargedMs), right: true, drop: 0 },
      { head: "RECEIPT", cell: (call) => call.receipt ?? "-", drop: 6 },
    ],
    calls,
  );
}

const barWidth = 36;

export function drawQuota(paper: Paper, quota: QuotaView): string {
  const resets =
    quota.resetsAt === null ? "the window opens with the first use" : `resets ${dayTimeOf(paper, quota.resetsAt)}`;
  const beside = `${countsSay(quota)}${creditsSay(quota)}${drawAllowances(paper, quota.allowances)}`;
  if (quota.limitMs === null || quota.leftMs === null) {
    return `${quota.account} (${quota.tier}): ${secondsOf(quota.usedMs)} used, ${secondsOf(quota.heldMs)} held, no limit\n${beside}`;
  }
  const sum = `${secondsOf(quota.limitMs)} = ${secondsOf(quota.usedMs)} used + ${secondsOf(quota.heldMs)} held + ${secondsOf(quota.leftMs)} left`;
  const limitMs = Math.max(1, quota.limitMs);
  const used = Math.round((barWidth * quota.usedMs) / limitMs);
  const held = Math.min(barWidth - used, Math.round((barWidth * quota.heldMs) / limitMs));
  const bar = `[${"#".repeat(Math.min(barWidth, used))}${"=".repeat(Math.max(0, held))}`.padEnd(barWidth + 1, "-");
  return `${quota.account} (${quota.tier}): ${sum}\n${bar}]  ${resets}\n${beside}`;
}

/** Credits are no part of the window, so they are told apart from it. */
function creditsSay({ creditsMs, allowances }: QuotaView): string {
  const heldMs = allowances.reduce((sum, each) => sum + (each.heldMs ?? 0), 0);
  if (creditsMs === 0 && heldMs === 0) return "";
  const held = heldMs === 0 ? "" : `, ${secondsOf(heldMs)} of them held`;
  return `credits beyond the window: ${secondsOf(creditsMs)} left${held}\n`;
}

function drawAllowances(paper: Paper, allowances: readonly AllowanceView[]): string {
  return allowances
    .map((each) => `${each.id}  ${allowanceSays(paper, each)}; by ${each.by}: ${each.reason}${takenSays(each)}\n`)
    .join("");
}

function takenSays({ revoked }: AllowanceView): string {
  return revoked ? `; taken back by ${revoked.by}: ${revoked.reason}` : "";
}

function allowanceSays(paper: Paper, { kind, ms, usedMs, policy, until }: AllowanceView): string {
  const ends = until === null ? "" : ` until ${dayTimeOf(paper, until)}`;
  if (kind === "window") return `${secondsOf(ms ?? 0)} more for this window`;
  if (kind === "lift") return `no limit on ${policy ?? "it"}${ends}`;
  return `${secondsOf(ms ?? 0)} of credits, ${secondsOf(usedMs ?? 0)} used${ends}`;
}

export function drawBudget(paper: Paper, budget: BudgetView): string {
  const { space, sponsor, limitMs, usedMs, heldMs, leftMs, whenOut, resetsAt } = budget;
  if (limitMs === null) return `${space}: each visitor pays for its own calls\n`;
  const then = whenOut === "visitor" ? "then each visitor pays" : "then calls are refused";
  const resets = resetsAt === null ? "its window opens with the first use" : `resets ${dayTimeOf(paper, resetsAt)}`;
  return `${space}: ${sponsor ?? "its owner"} pays for visitors, ${secondsOf(limitMs)} = ${secondsOf(usedMs)} used + ${secondsOf(heldMs)} held + ${secondsOf(leftMs ?? 0)} left; ${resets}; ${then}\n`;
}

/** Runs and open calls, where the tier bounds them. */
function countsSay({ runs, runsMax, calls, callsMax }: QuotaView): string {
  const says = [
    ...(runsMax === null ? [] : [`${runs} of ${runsMax} runs`]),
    ...(callsMax === null ? [] : [`${calls} of ${callsMax} calls at once`]),
  ];
  return says.length === 0 ? "" : `${says.join(", ")}\n`;
}

export function drawQuote(quote: QuoteView): string {
  const { admitted, pool, heldMs, leaseMs, clipped, usual, paidBy, creditsMs, waiting, passed, refused } = quote;
  if (!admitted || refused) return `It would be refused (${refused?.code ?? "unknown"}): ${refused?.says ?? ""}\n`;
  const over = passed.length === 0 ? "" : ` Pool ${pool} would serve it, since ${passedSay(passed)}.`;
  const cut = clipped ? ", less than it declares" : "";
  const before = usual
    ? ` It usually costs ${secondsOf(usual.medianMs)} (${usual.runs === 1 ? "its one run" : `half of ${usual.runs} runs at most`}).`
    : "";
  const starts = waiting === null ? "It would start at once." : waiting.says;
  return `It would hold ${secondsOf(heldMs)} and could run for ${secondsOf(leaseMs)}${cut}.${before} ${paidBy ?? "Its account"} would pay${creditsMs > 0 ? `, ${secondsOf(creditsMs)} of it with credits` : ""}. ${starts}${over}\n`;
}

/** What a call of each holds where as much is left, and what it usually costs. */
export function drawFunctions(paper: Paper, functions: readonly FunctionView[]): string {
  if (functions.length === 0)
    return "No function of its that has a name, as a Gradio app's have, has borrowed a GPU since the platform started. What a call would hold: --declare 60s\n";
  return drawTable(
    paper,
    [
      { head: "FUNCTION", cell: (one) => one.endpoint, drop: 0 },
      { head: "SIZE", cell: (one) => one.size, drop: 1 },
      { head: "HOLDS", cell: (one) => secondsOf(one.heldMs), right: true, drop: 0 },
      { head: "USUALLY", cell: ({ usual }) => (usual ? secondsOf(usual.medianMs) : "-"), right: true, drop: 0 },
      { head: "RUNS", cell: ({ usual }) => String(usual?.runs ?? 0), right: true, drop: 2 },
    ],
    functions,
  );
}

export function drawTiers(paper: Paper, tiers: readonly TierView[]): string {
  const limitOf = (ms: number | null, none: string): string => (ms === null ? none : lengthOf(ms));
  return drawTable(
    paper,
    [
      { head: "TIER", cell: (tier) => tier.name, drop: 0 },
      { head: "WINDOW LIMIT", cell: (tier) => limitOf(tier.windowLimitMs, "none"), right: true, drop: 0 },
      { head: "WINDOW", cell: (tier) => lengthOf(tier.windowMs), right: true, drop: 0 },
      { head: "LONGEST CALL", cell: (tier) => limitOf(tier.durationMaxMs, "the pool's"), right: true, drop: 0 },
      { head: "RUNS", cell: (tier) => String(tier.runsMax ?? "any"), right: true, drop: 1 },
      { head: "AT ONCE", cell: (tier) => String(tier.callsMax ?? "any"), right: true, drop: 1 },
      { head: "WEIGHT", cell: (tier) => String(tier.weight), right: true, drop: 2 },
    ],
    tiers,
  );
}

export function drawPool(paper: Paper, pool: PoolView): string {
  const simulated = pool.simulated ? " (simulated)" : "";
  return `${tone(paper, "strong", pool.name)}${simulated}: ${pool.leased} of ${pool.slots} slots leased on ${count(pool.devices, "card")}${troubledSays(pool)}, ${pool.waiting} waiting\n${drawRows(
    paper,
    [
      ["queue limit", lengthOf(pool.queueLimitMs)],
      ["queue holds", `at most ${count(pool.queueMax, "call")}`],
      ["a call", `at most ${lengthOf(pool.durationMaxMs)}, attaches within ${lengthOf(pool.attachWithinMs)}`],
      [
        "a Space",
        pool.spaceCallsMax === null ? "any number of calls" : `at most ${count(pool.spaceCallsMax, "call")} at once`,
      ],
      [
        "a visitor's request",
        `at most ${count(pool.tokenMaxCalls, "call")}, of ${pool.tokenMaxGpuMs === null ? "the window's rest" : lengthOf(pool.tokenMaxGpuMs)}`,
      ],
      ["admission", pool.admission],
      [
        "share",
        `use counts half after ${lengthOf(pool.shareHalfLifeMs)}; one turn in ${pool.oldestEvery} is the longest wait's`,
      ],
    ],
  )}`;
}

export function troubledSays({ troubled, drained, devices }: PoolView): string {
  const trouble = troubled === 0 ? "" : `, ${troubled} of ${devices} cards in trouble`;
  return drained === 0 ? trouble : `${trouble}, ${drained} of ${devices} out of use`;
}

type Waiting = QueueView["calls"][number];

export function drawQueue(paper: Paper, { pools, calls }: QueueView): string {
  const head = pools
    .map(({ name, simulated, leased, slots, waiting, queueLimitMs }) => {
      const label = simulated ? " (simulated)" : "";
      return `${name}${label}: ${leased} of ${slots} slots leased, ${waiting} waiting, limit ${lengthOf(queueLimitMs)}\n`;
    })
    .join("");
  if (calls.length === 0) return `${head}Nobody waits. Who has the slots: waybill gpu board\n`;
  return (
    head +
    drawTable(
      paper,
      [
        { head: "#", cell: (call) => String(call.waiting.position), right: true, drop: 0 },
        { head: "CALL", cell: (call) => call.call, drop: 0 },
        ...(pools.length > 1 ? [{ head: "POOL", cell: (call: Waiting) => call.pool, drop: 0 }] : []),
        { head: "ACCOUNT", cell: (call) => call.account, drop: 3 },
        { head: "SPACE", cell: (call) => call.space, drop: 4 },
        { head: "SIZE", cell: (call) => call.size, drop: 6 },
        { head: "HOLDS", cell: (call) => lengthOf(call.holdsMs), right: true, drop: 5 },
        { head: "WAITED", cell: (call) => lengthOf(call.waitedMs), right: true, drop: 2 },
        {
          head: "STARTS",
          cell: (call) => (call.waiting.estimateMs === null ? "unknown" : `~${lengthOf(call.waiting.estimateMs)}`),
          right: true,
          drop: 1,
        },
        {
          head: "THAN TOLD",
          cell: ({ waiting: { errorMs } }) =>
            errorMs === null ? "" : `${errorMs < 0 ? "-" : "+"}${lengthOf(Math.abs(errorMs))}`,
          right: true,
          drop: 7,
        },
        { head: "WAITS FOR", cell: (call) => call.waiting.blockers.map(({ says }) => says).join("; "), drop: 1 },
      ],
      calls,
    )
  );
}

const leaseBarWidth = 12;

export function drawBoard(paper: Paper, { slots }: BoardView): string {
  if (slots.length === 0) return "No slots: no node has brought a GPU to this pool.\n";
  const bar = (forMs: number, leaseMs: number | null): string => {
    if (leaseMs === null || leaseMs === 0) return "-".repeat(leaseBarWidth);
    return "#"
      .repeat(Math.min(leaseBarWidth, Math.round((leaseBarWidth * forMs) / leaseMs)))
      .padEnd(leaseBarWidth, "-");
  };
  return drawTable(
    paper,
    [
      { head: "SLOT", cell: (slot) => slot.slot + (slot.simulated ? " (simulated)" : ""), drop: 0 },
      { head: "LEASE", cell: (slot) => bar(slot.forMs, slot.leaseMs), drop: 4 },
      {
        head: "STAGE",
        cell: (slot) => [slot.stage, slot.trouble && "card in trouble", slot.drain].filter(Boolean).join(", "),
        drop: 2,
      },
      { head: "SPACE", cell: (slot) => slot.space ?? "", drop: 1 },
      { head: "ACCOUNT", cell: (slot) => slot.account ?? "", drop: 3 },
      { head: "CALL", cell: (slot) => slot.call ?? "", drop: 0 },
      {
        head: "FOR",
        cell: (slot) =>
          slot.leaseMs === null ? lengthOf(slot.forMs) : `${lengthOf(slot.forMs)} of ${lengthOf(slot.leaseMs)}`,
        right: true,
        drop: 2,
      },
    ],
    slots,
  );
}

/** `from`: where the command line has its token. */
export function drawWhoAmI(who: WhoAmI, from: string): string {
  if (who.auth.type === "session") return `${who.name}, by session ${who.auth.session.id}\n`;
  const { role, displayName } = who.auth.accessToken;
  return `${who.name}, by token "${displayName}" (${role})\n${from}\n`;
}

/** `12:00:07.311 gpu    text`; a hole in the numbers before it is said on a line of its own. */
export function drawLogLine(paper: Paper, line: LogLine, before: number | null): string {
  const hole =
    before !== null && line.n > before + 1 ? `-- ${line.source} lines ${before + 1}-${line.n - 1} missing --\n` : "";
  const seen = overwritten(line.text);
  const text = line.stream === "note" ? tone(paper, "muted", plain(seen)) : harmless(seen, paper.color);
  return `${tone(paper, "muted", hole)}${timeOf(paper, line.at)} ${line.source.padEnd(7)} ${text}\n`;
}

/** Of a progress bar, what a terminal would show in the end. */
function overwritten(text: string): string {
  return text.split("\r").findLast((part) => part !== "") ?? "";
}

/** What an app printed may colour itself where colour is wanted, and do nothing else to the terminal of who reads it. */
function harmless(text: string, color: boolean): string {
  if (!color) return plain(text);
  const parts = text.split(colorSequence);
  if (parts.length === 1) return plain(text);
  return `${parts.map((part, at) => (at % 2 === 1 ? part : plain(part))).join("")}\u001b[0m`;
}

function plain(text: string): string {
  return stripVTControlCharacters(text).replace(controlCharacter, "\ufffd");
}

/** Labelled lines; a label column as wide as the widest label. */
export function drawRows(paper: Paper, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length)) + 4;
  return rows.map(([label, text]) => `${`  ${label}`.padEnd(width)}${wrap(text, paper.width, width)}\n`).join("");
}
