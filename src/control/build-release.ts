/** What a builder published, as the catalog keeps it. The folder on its node has the whole manifest. */
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { ToServer } from "../contract/agent.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";

type Published = Extract<Extract<ToServer, { type: "build-done" }>["outcome"], { ok: true }>;

export function releaseOf(row: BuildRow, node: string, outcome: Published, now: Instant): ReleaseRow {
  const { settings } = outcome;
  const manifest: ReleaseManifest = {
    release: outcome.release,
    space: row.space,
    commit: row.commit,
    build: row.id,
    sdk: outcome.sdk,
    title: String(settings["title"] ?? ""),
    argv: null,
    staticFolder: String(settings["staticFolder"] ?? "."),
    appPort: Number(settings["appPort"] ?? 7860),
    builtAt: iso(now),
    ...(outcome.runtime === undefined ? {} : { runtime: outcome.runtime }),
    ...(outcome.headers === undefined ? {} : { headers: outcome.headers }),
    ...(outcome.signIn === undefined ? {} : { signIn: outcome.signIn }),
    startupTimeoutMs: Number(settings["startupTimeoutMs"] ?? 0),
  };
  return { id: outcome.release, space: row.space, build: row.id, commit: row.commit, manifest, node, createdAt: now };
}
