/** Each exit code of the command line, shown: scripts branch on them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { exit } from "../src/cli/exit.ts";
import { runCli } from "../src/cli/program.ts";
import type { CliWorld } from "../src/cli/world.ts";
import { build, problem, ScriptedConsole, space } from "./support/console-api.ts";
import { cliWorld } from "./support/cli-world.ts";

let folder: string;
let api: ScriptedConsole;
let url: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "wb-exits-"));
  writeFileSync(join(folder, "README.md"), "---\nsdk: node\n---\n");
  api = new ScriptedConsole();
  url = await api.listen();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Case {
  readonly argv: readonly string[];
  /** What `waybill quota` is refused with. */
  readonly refusal?: { readonly status: number; readonly boundary: string; readonly code: string };
  readonly world?: () => Partial<CliWorld>;
  readonly script?: () => void;
}

const refused = (status: number, boundary: string, code: string): Case => ({
  argv: ["quota"],
  refusal: { status, boundary, code },
});

/** A deployment whose build is as it is given. */
const deploying = (built: object, ...more: readonly string[]): Case => ({
  argv: ["deploy", "FOLDER", "--space", "alice/demo", ...more],
  script: () => {
    const commit = { success: true, commitOid: "c".repeat(40), commitUrl: "", hookOutput: "", pullRequestUrl: null };
    api.routes.set("POST /api/spaces/alice/demo/commit/main", { ...commit, build: "b_1" });
    api.routes.set("GET /api/builds/b_1", built);
    api.routes.set("GET /api/builds/b_1/log?follow=1", (response: ServerResponse) => response.writeHead(200).end());
    api.routes.set("GET /api/spaces/alice/demo", { ...space, state: "building", build: built });
  },
});

const stopped = (signal: "SIGINT" | "SIGTERM"): Case => {
  const stop = new AbortController();
  return {
    argv: ["quota"],
    world: () => ({ signal: stop.signal }),
    script: () => api.routes.set("GET /api/quota", () => stop.abort(signal)),
  };
};

/** Without a hole: a code that is added here does not compile until it is shown. */
const cases: Record<keyof typeof exit, readonly Case[]> = {
  done: [{ argv: ["version"] }],
  failed: [
    deploying({ ...build, stage: "failed", outcome: "failed", code: "build/step-failed" }),
    refused(500, "control", "internal"),
  ],
  usage: [{ argv: ["deploi"] }, { argv: ["quote", "alice/demo", "--declare", "soon"] }, refused(422, "control", "x")],
  notFound: [refused(404, "control", "not-found")],
  signIn: [refused(401, "identity", "missing"), refused(403, "identity", "forbidden")],
  refused: [
    refused(429, "capacity", "rate-limited"),
    refused(409, "control", "conflict"),
    refused(503, "gpu", "queue-timeout"),
  ],
  unreachable: [{ argv: ["quota", "--url", "http://127.0.0.1:9"] }, refused(503, "route", "control-down")],
  timeout: [deploying({ ...build, stage: "building", outcome: null }, "--timeout", "50ms")],
  ourBug: [
    {
      argv: ["secret", "set", "alice/demo", "KEY"],
      world: () => ({ stdin: { text: () => Promise.reject(new TypeError("a fault of ours")) } }),
    },
  ],
  interrupted: [stopped("SIGINT")],
  terminated: [stopped("SIGTERM")],
};

describe("exit codes", () => {
  for (const [name, all] of Object.entries(cases) as [keyof typeof exit, readonly Case[]][])
    for (const one of all)
      test(`${exit[name]}, ${name}: waybill ${one.argv.join(" ")}${one.refusal ? `, answered ${one.refusal.status} ${one.refusal.code}` : ""}`, async () => {
        const { refusal } = one;
        one.script?.();
        if (refusal)
          api.routes.set("GET /api/quota", (response: ServerResponse) =>
            problem(response, { detail: "No.", ...refusal }),
          );
        const env = { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" };
        const { world, said } = cliWorld({ env, ...one.world?.() });
        const argv = one.argv.map((word) => (word === "FOLDER" ? folder : word));
        assert.equal(await runCli(argv, world), exit[name], said.err);
      });
});
