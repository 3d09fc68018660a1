/**
 * What commands print of what a ledger in a test's process does not have, whole, on 60 and on 100 columns, without a terminal: a scripted
 * console tells it. `WAYBILL_GOLDEN=write npm test -- test/cli-golden-told.test.ts` writes it anew; then it is read before it is committed.
 */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AccessRequestView, OwnAccess } from "../src/contract/access.ts";
import type { LogLine } from "../src/contract/agent.ts";
import type { HubJobView, StorageUsages } from "../src/contract/hub-storage.ts";
import type { IncidentView } from "../src/contract/incidents.ts";
import type { RequestCount, RequestPage, RequestView } from "../src/contract/requests.ts";
import type { TrialSumsView, TrialView } from "../src/contract/trials.ts";
import { build, ScriptedConsole, space } from "./support/console-api.ts";
import { isAsKept, shown, widths } from "./support/golden.ts";
import { signedReceipt } from "./support/receipts.ts";

const at = "2026-11-30T12:00:00.000Z";
const ids = { request: "q_01j9zk2n3p4q5r6s", call: "c_01j9zk2n3p4q5r6s", incident: "i_01j9zk2n3p4q5r6s" };

const request: RequestView = {
  ...{ id: ids.request, n: 7, at, method: "GET", path: "/gradio_api/queue/join", query: "a=1", protocol: "HTTP/1.1" },
  ...{ status: 502, answeredBy: "edge", outcome: "failed", code: "route/reset-midway", ms: 1_500, stages: {} },
  ...{ bytesIn: 0, bytesOut: 0, account: "alice", billedBy: "token", replica: "p_1" },
};
const well: RequestView = {
  ...{ ...request, id: "q_01j9zk2n3p4q5r6t", n: 8, path: "/", query: null, status: 200, answeredBy: "app" },
  ...{ outcome: "ok", code: null, ms: 4, account: "address" },
};
const requests: RequestPage = { items: [well, request], next: "7", older: { counted: 40, forgotten: 0 } };
const counts: { readonly items: readonly RequestCount[]; readonly next: null } = {
  items: [
    {
      ...{ at, method: "GET", route: "/file/*", status: 2, answeredBy: "app", count: 40, bytesIn: 0, bytesOut: 4_000 },
      ...{ ms: 400, msMax: 90 },
    },
  ],
  next: null,
};
const log: readonly LogLine[] = [
  { n: 0, at, source: "runtime", stream: "note", text: "-- replica p_2 follows p_1 --", replica: "p_2" },
  {
    n: 1,
    at,
    source: "app",
    stream: "out",
    text: "Listening on http://0.0.0.0:7860, with a model of 2.6 GB",
    replica: "p_2",
  },
  { n: 4, at, source: "gpu", stream: "out", text: `${ids.call} alice large: holds 10 s, 2nd of 2`, replica: "p_2" },
  {
    n: 5,
    at,
    source: "egress",
    stream: "out",
    text: "x_1 api.example.com:443 name-denied by policy default",
    replica: "p_2",
  },
];
const sums = (served: number, gpuMs: number): TrialSumsView => ({
  ...{ calls: 810, served, refused: [{ code: "gpu/quota-exceeded", calls: 810 - served }], clipped: 3, cut: 0, gpuMs },
  waitMs: { median: 1_200, p95: 22_000, most: 61_000 },
});
const sides = { before: sums(804, 9_412_000), after: sums(702, 7_004_500) };
const trial: TrialView = {
  ...{ from: "2026-11-29T12:00:00.000Z", to: at, warmFrom: "2026-11-28T12:00:00.000Z", ...sides },
  recorded: { calls: 810, served: 804, gpuMs: 9_411_874 },
  tiers: [{ tier: "free", ...sides }],
  accounts: [{ account: "a-name-that-is-rather-long", tier: "free", ...sides }],
  ...{ newlyRefused: [{ code: "gpu/quota-exceeded", calls: 102 }], newlyServed: [], leftOut: 2, tookMs: 310 },
  limits: ["People who are refused come again at another time, or not at all: the replay knows nothing of that."],
};
const usage: StorageUsages = {
  accounts: [
    { account: "acme", xetBytes: 48_300_000_000, lfsBytes: 1_200_000, maxBytes: 100_000_000_000 },
    { account: "a-name-that-is-rather-long", xetBytes: 0, lfsBytes: 4_200, maxBytes: null },
  ],
  accountMaxBytes: null,
};
const verified: HubJobView = {
  ...{ id: "hj_1", kind: "verify", bytes: 48_301_200_000, ended: true },
  verified: { files: 412, xorbs: 890, bytes: 48_301_200_000, problems: [] },
};
const collected: HubJobView = {
  ...{ id: "hj_2", kind: "gc", bytes: 0, ended: true, collected: { files: 3, xorbs: 12, bytes: 640_000_000 } },
};
const incident: IncidentView = {
  ...{ id: ids.incident, boundary: "gpu", wrong: "drain", planned: true, since: at, until: null, closedBy: null },
  says: "Node n2 is drained by admin: a driver is renewed",
  ...{ counts: { works: 816, failed: 1 }, subject: "node/n2", behind: [ids.call] },
  notes: [{ at, says: "half an hour, it is hoped", by: "admin" }],
};
const closed: IncidentView = { ...incident, until: "2026-11-30T12:40:00.000Z", closedBy: "operator" };
const own: OwnAccess = {
  ...{ gated: "manual", status: "none", requestId: null, timestamp: null, rejectionReason: null, formProblem: null },
  form: {
    ...{ heading: null, description: null, button: null, prompt: "What you make of it is yours to answer for." },
    fields: [
      { name: "Company", type: "text" },
      { name: "I agree", type: "checkbox" },
    ],
  },
};
const asked: AccessRequestView = {
  requestId: "ar_1",
  user: { _id: "1", user: "bob", fullname: "bob", avatarUrl: "", isPro: false, type: "user" },
  ...{ status: "pending", timestamp: at, fields: { Company: "Works of an unusually long name, and Sons" } },
};

const gate = "/api/models/alice/tiny/user-access-request";
const answers: Readonly<Record<string, unknown>> = {
  "GET /api/spaces/alice/demo/requests": requests,
  "GET /api/spaces/alice/demo/requests/counts": counts,
  [`GET /api/spaces/alice/demo/requests?since=${encodeURIComponent("2026-11-30T11:59:00.000Z")}&failed=1`]: {
    ...requests,
    items: [request],
    next: null,
  },
  "GET /api/spaces/alice/demo/logs": lines(log),
  "GET /api/builds/b_1/log": lines([
    { n: 1, at, source: "build", stream: "note", text: "queued: 1st of 1, builder n1" },
    { n: 2, at, source: "build", stream: "out", step: "install", text: "added 61 packages in 6 s" },
  ]),
  "POST /api/spaces/alice/demo/commit/main": { success: true, commitOid: "c".repeat(40), build: "b_1" },
  "GET /api/builds/b_1": build,
  "GET /api/builds/b_1/log?follow=1": lines([
    { n: 1, at, source: "build", stream: "out", step: "install", text: "added 61 packages in 6 s" },
  ]),
  "POST /api/trials": trial,
  "GET /api/hub/usage": usage,
  "POST /api/hub/jobs": verified,
  "GET /api/incidents": { items: [incident, { ...closed, id: "i_01j9zk2n3p4q5r6t" }], next: null },
  [`GET /api/incidents/${ids.incident}`]: incident,
  [`POST /api/incidents/${ids.incident}/notes`]: incident,
  [`POST /api/incidents/${ids.incident}/close`]: closed,
  [`GET ${gate}`]: own,
  [`POST ${gate}`]: { ...own, form: null, status: "pending" },
  [`DELETE ${gate}`]: { ...own, form: null },
  [`GET ${gate}/pending?cursor=0&limit=1000`]: [asked],
  [`POST ${gate}/handle`]: { ...asked, status: "accepted" },
  [`POST ${gate}/grant`]: { ...asked, status: "accepted" },
};

const commands = [
  ...["requests alice/demo", "requests alice/demo -q", "requests alice/demo --counts", "logs alice/demo", "logs b_1"],
  ...["tier try free --window-limit 4m", "pool try main --queue-limit 30s", "hub usage", "hub verify"],
  ...["incident list", `incident show ${ids.incident}`, `incident note ${ids.incident} longer`],
  ...[`incident close ${ids.incident} done`, "access show alice/tiny", "access ask alice/tiny --field Company=Acme"],
  ...["access withdraw alice/tiny", "access list alice/tiny", "access accept alice/tiny bob"],
  "access grant alice/tiny bob",
] as const;

describe("what the command line prints of what it is told", () => {
  let folder: string;
  let api: ScriptedConsole;
  let url: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "waybill-golden-"));
    api = new ScriptedConsole();
    url = await api.listen();
    for (const [route, answer] of Object.entries(answers)) api.routes.set(route, answer);
    await mkdir(join(folder, "app"));
    await writeFile(join(folder, "app", "README.md"), "---\nsdk: node\n---\n");
  });
  after(async () => {
    await api[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  for (const columns of widths)
    test(`is as it is kept, on ${columns} columns`, async () => {
      const { signed, publicKey } = await signedReceipt();
      const changed = { ...signed, receipt: { ...signed.receipt, chargedMs: 411, releasedMs: 9_589 } };
      await writeFile(join(folder, "r.json"), JSON.stringify(signed));
      await writeFile(join(folder, "changed.json"), JSON.stringify(changed));
      api.routes.set("GET /api/keys", { keys: [publicKey] });
      const env = { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" };
      const over = { signInFile: join(folder, `sign-in-${columns}.json`) };
      let text = "";
      for (const command of commands) text += await shown(command, { columns, env }, over);
      api.routes.set("POST /api/hub/jobs", collected);
      text += await shown("hub gc", { columns, env }, over);
      api.routes.set("POST /api/hub/jobs", verified);
      for (const file of ["r.json", "changed.json"])
        text += await shown(`receipt verify ${join(folder, file)}`, { columns, env }, over);
      // The replica comes with the deployment.
      let looks = 0;
      api.routes.set("GET /api/spaces/alice/demo", (response: ServerResponse) => {
        looks += 1;
        response.end(JSON.stringify(looks === 1 ? { ...space, replicas: [] } : space));
      });
      text += await shown(`deploy ${join(folder, "app")} --space alice/demo`, { columns, env }, over);
      text = text.replaceAll(url, "http://SERVER").replaceAll(folder, "FOLDER").replaceAll(publicKey.kid, "KEY");
      assert.ok(!text.includes("nothing at /"), text);
      isAsKept(`told-${columns}.txt`, text);
    });
});

function lines(all: readonly LogLine[]): (response: ServerResponse) => void {
  return (response) => void response.end(all.map((line) => `${JSON.stringify(line)}\n`).join(""));
}
