/** Requests with a key, on a real disk: a process that is killed between effect and answer, and those that come after it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

const child = new URL("../support/keyed-child.ts", import.meta.url).pathname;

interface Found {
  readonly status: number;
  readonly body: string;
  readonly replayed: boolean;
  readonly effects: Readonly<Record<"tokens" | "tiers" | "builds", number>>;
}

type Asked = readonly [method: string, path: string, body: string];

/** One server's life; undefined where it was killed in it. */
function life(folder: string, asked: Asked, wish: "die" | "live"): Found | undefined {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child, folder, ...asked, wish], {
    encoding: "utf8",
  });
  if (signal === "SIGKILL") return undefined;
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Found;
}

const asked: Readonly<Record<string, { asked: Asked; counted: keyof Found["effects"] }>> = {
  "a token, whose effect is in the catalog": {
    asked: ["POST", "/api/tokens", '{"account":"alice"}'],
    counted: "tokens",
  },
  "a tier's setting, whose effect is in the journal": {
    asked: ["PATCH", "/api/tiers/free", '{"runsMax":7}'],
    counted: "tiers",
  },
  "a commit, whose effect is a branch and a build": {
    asked: ["POST", "/api/spaces/alice/demo/commit/main", "a commit"],
    counted: "builds",
  },
};

describe("L13: SIGKILL between effect and answer", () => {
  for (const [name, { asked: request, counted }] of Object.entries(asked)) {
    test(`${name}: is there once, and answered once`, () => {
      const folder = mkdtempSync(join(tmpdir(), "waybill-keys-"));
      try {
        assert.equal(life(folder, request, "die"), undefined);
        const next = life(folder, request, "live");
        const last = life(folder, request, "live");
        assert.ok(next !== undefined && next.status < 300 && !next.replayed, next?.body ?? "killed");
        assert.deepEqual(last, { ...next, replayed: true });
        assert.equal(next.effects[counted], 1);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
