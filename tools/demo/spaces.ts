/** Deploys the examples as `waybill deploy` does, and uses them as a signed-in person would. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CallView, SpaceView } from "../../src/contract/api.ts";
import type { WaybillClient } from "../../src/client/api.ts";
import { Client } from "@gradio/client";
import { deployFolder } from "../../src/client/deploy.ts";
import type { DemoAccount, DemoPlatform } from "./platform.ts";
import type { CallReport, SpaceReport } from "./document.ts";
import type { Say, Stages } from "./stages.ts";

const root = resolve(import.meta.dirname, "..", "..");
const pictures = join(root, ".cache", "demo");
/** How long a call may take to have its receipt after its answer. */
const receiptWithinMs = 5_000;

interface Visit {
  readonly up: DemoPlatform;
  readonly demo: DemoAccount;
  readonly say: Say;
}

export async function tryNode({ up, demo, say, stages }: Visit & { stages: Stages }): Promise<SpaceReport> {
  const { report, space } = await deploy({ up, demo, say }, "node-mandelbrot", "demo/node-mandelbrot");
  if (!space) return report;
  const url = numericAddress(space);
  const picture = await fetch(`${url}/api/render?zoom=40`, { headers: { authorization: `Bearer ${demo.token}` } });
  const id = picture.headers.get("x-gpu-call");
  if (!picture.ok || id === null)
    return { ...report, status: "failed", why: `the picture was not drawn: ${picture.status} ${await picture.text()}` };
  mkdirSync(pictures, { recursive: true });
  const file = join(pictures, "node-mandelbrot.png");
  writeFileSync(file, Buffer.from(await picture.arrayBuffer()));
  say(`picture   ${file}`);
  const live = await renderLive({ url, token: demo.token, say });
  const calls = [await endedCall(demo.client, id), ...(live === null ? [] : [await endedCall(demo.client, live)])];
  for (const call of calls) say(receiptLine(call));
  stages.text(up.cli("receipt", "show", id).replace(/^/gm, "    "));
  const ok = calls.every(({ outcome, chargedMs, receipt }) => outcome === "ok" && chargedMs > 0 && receipt !== null);
  return {
    ...report,
    status: ok ? "ok" : "failed",
    why: ok ? null : "a call has no sane charge",
    calls: calls.map(callReport),
  };
}

/** An unmodified Gradio app, called with Gradio's own client; skipped, with the reason, where this machine has no Python for it or no PyPI. */
export async function tryGradio({ up, demo, say }: Visit): Promise<SpaceReport> {
  const { report, space } = await deploy({ up, demo, say }, "mandelbrot", "demo/mandelbrot");
  const isMissing = /no-builder|uv could not be installed|Failed to fetch|error sending request|dns error/i;
  const log = report.status === "failed" ? `${report.why} ${await lastLines(demo.client, report.build?.id)}` : "";
  if (isMissing.test(log)) return { ...report, sdk: "gradio", status: "skipped", why: report.why };
  if (!space) return { ...report, sdk: "gradio" };
  const client = await Client.connect(numericAddress(space), { token: demo.token as `hf_${string}` });
  let updates = 0;
  for await (const event of client.submit("/draw", { zoom: 1, iterations: 60 })) {
    if (event.type === "data") updates += 1;
    else if (event.type === "status" && event.stage === "error")
      return { ...report, status: "failed", why: `the drawing failed: ${event.message ?? "?"}` };
  }
  say(`picture   drawn in ${updates} updates, through @gradio/client`);
  const { items } = await demo.client.calls({ account: demo.name });
  const mine = items.filter(({ space: of }) => of === report.id);
  const calls = await Promise.all(mine.map(({ id }) => endedCall(demo.client, id)));
  for (const call of calls) say(receiptLine(call));
  const ok =
    calls.length > 0 &&
    calls.every(({ outcome, chargedMs, receipt }) => outcome === "ok" && chargedMs > 0 && receipt !== null);
  return {
    ...report,
    status: ok ? "ok" : "failed",
    why: ok ? null : "its call has no sane charge",
    calls: calls.map(callReport),
  };
}

async function lastLines(client: WaybillClient, build: string | undefined): Promise<string> {
  if (build === undefined) return "";
  const lines: string[] = [];
  for await (const { text } of client.buildLog(build)) lines.push(text);
  return lines.slice(-20).join("\n");
}

export async function tryStatic({ up, demo, say }: Visit): Promise<SpaceReport> {
  const { report, space } = await deploy({ up, demo, say }, "static", "demo/static");
  if (!space) return report;
  const page = await fetch(`${numericAddress(space)}/`);
  const text = await page.text();
  const ok = page.ok && text.includes("<html");
  say(`GET /     ${page.status}, ${text.length} characters, ${page.headers.get("proxy-status") ?? "no proxy-status"}`);
  return { ...report, status: ok ? "ok" : "failed", why: ok ? null : `GET / answered ${page.status}` };
}

/** The address for programs: one that every client can reach without a name. */
export function numericAddress(space: SpaceView): string {
  return space.addresses.at(-1) ?? "";
}

/** The call as it stands once it has its receipt. */
export async function endedCall(client: WaybillClient, id: string): Promise<CallView> {
  const until = Date.now() + receiptWithinMs;
  for (;;) {
    const call = await client.call(id);
    if (call.receipt !== null || Date.now() > until) return call;
    await new Promise((done) => setTimeout(done, 50));
  }
}

export function callReport({
  id,
  request,
  account,
  outcome,
  declaredMs,
  heldMs,
  queuedMs,
  usedMs,
  chargedMs,
  receipt,
}: CallView): CallReport {
  return { id, request, account, outcome, declaredMs, heldMs, queuedMs, usedMs, chargedMs, receipt };
}

function receiptLine(call: CallView): string {
  const s = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  return `receipt   ${call.receipt}: declared ${s(call.declaredMs)}, held ${s(call.heldMs)}, queued ${s(call.queuedMs)}, used ${s(call.usedMs)}, charged ${s(call.chargedMs)}`;
}

async function deploy(
  { demo, say }: Visit,
  folder: string,
  id: string,
): Promise<{ report: SpaceReport; space: SpaceView | null }> {
  const { space, build, ok } = await deployFolder(demo.client, join(root, "examples", folder), id, {
    onEvent: (event) => {
      if (event.type === "line") say(`build | ${event.line.text}`);
    },
  });
  const [name, number] = space.addresses;
  say(`address   ${name}   for programs: ${number}`);
  const report: SpaceReport = {
    id,
    sdk: space.sdk ?? "?",
    status: ok ? "ok" : "failed",
    why: ok ? null : (build?.says ?? space.says),
    url: numericAddress(space),
    build: build && {
      id: build.id,
      outcome: build.outcome ?? "open",
      queuedMs: build.queuedMs,
      tookMs: build.tookMs,
      logLines: build.logLines,
    },
    calls: [],
  };
  return { report, space: ok ? space : null };
}

/** Draws once more over the app's event stream, and tells what a visitor sees meanwhile. Resolves with the call's id. */
async function renderLive({ url, token, say }: { url: string; token: string; say: Say }): Promise<string | null> {
  const response = await fetch(`${url}/api/render/stream?zoom=400`, { headers: { authorization: `Bearer ${token}` } });
  let call: string | null = null;
  let rest = "";
  let rows = 0;
  for await (const chunk of response.body ?? []) {
    const events = (rest + Buffer.from(chunk).toString()).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const kind = /^event: (.*)$/m.exec(event)?.[1];
      const data = JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "null") as {
        says?: string;
        done?: number;
        call?: string | null;
      };
      if (kind === "waiting") say(`waiting   ${data.says}`);
      else if (kind === "progress") rows = data.done ?? rows;
      else if (kind === "done" || kind === "failed") call = data.call ?? null;
    }
  }
  say(`progress  ${rows} rows were announced to the visitor as they were drawn`);
  return call;
}
