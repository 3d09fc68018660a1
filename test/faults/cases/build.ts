/** Builds that do not come to a running app. */
import { globSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commitBody } from "../../../src/client/deploy.ts";
import { ApiError } from "../../../src/client/errors.ts";
import { listFolder } from "../../../src/client/folder.ts";
import type { CommitView } from "../../../src/contract/api.ts";
import { GitClient } from "../../support/git-client.ts";
import { until, visit, type App } from "../../support/platform.ts";
import { proved, provedOrLikely, type FaultCase, type Injected, type Stage } from "../case.ts";

const readme = (settings: string): string => `---\ntitle: Broken\n${settings}\n---\n`;
export const scripts = (of: Record<string, string>): string =>
  JSON.stringify({ name: "broken", private: true, type: "module", scripts: of });
const sleeps = (ms: number): string => `node -e 'setTimeout(() => {}, ${ms})'`;

export const buildCases: readonly FaultCase[] = [
  {
    code: "build/config-invalid",
    how: "wrong front matter",
    on: "main",
    certainty: proved,
    inject: async (stage) => buildOf(await stage.fresh({ "README.md": readme("sdk: nodee\napp_port: seven") })),
  },
  {
    code: "build/config-invalid",
    how: "no start script",
    on: "main",
    certainty: proved,
    inject: async (stage) => buildOf(await stage.fresh({ "package.json": scripts({}) })),
  },
  {
    code: "build/lfs-missing",
    how: "a folder that was cloned without its large files",
    on: "main",
    certainty: proved,
    inject: async (stage) =>
      buildOf(
        await stage.fresh({
          "model.bin": `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 5\n`,
        }),
      ),
  },
  {
    code: "build/push-too-large",
    how: "a push with a file of 11 MB",
    on: "main",
    certainty: proved,
    inject: (stage) => pushed(stage, { "model.bin": Buffer.alloc(11 << 20) }),
  },
  {
    code: "build/no-builder",
    how: "an SDK that this platform does not build",
    on: "main",
    certainty: proved,
    inject: async (stage) => buildOf(await stage.fresh({ "README.md": readme("sdk: docker") })),
  },
  {
    code: "build/step-failed",
    how: "the build script exits 7",
    on: "main",
    certainty: proved,
    inject: async (stage) =>
      buildOf(
        await stage.fresh({
          "package.json": scripts({
            start: "node server.js",
            build: "node -e 'console.error(\"no such compiler\"); process.exit(7)'",
          }),
        }),
      ),
  },
  {
    code: "build/step-timeout",
    how: "the build script never ends",
    on: "tight",
    certainty: proved,
    inject: async (stage) =>
      buildOf(await stage.fresh({ "package.json": scripts({ start: "node server.js", build: sleeps(60_000) }) })),
  },
  {
    code: "build/disk-full",
    how: "the build script writes more than a build may",
    on: "bare",
    certainty: proved,
    inject: async (stage) => {
      const fill = "const { appendFileSync } = require('fs'); for (;;) appendFileSync('filler', Buffer.alloc(1 << 20))";
      const build = `node --input-type=commonjs -e "${fill}"`;
      return buildOf(await stage.fresh({ "package.json": scripts({ start: "node server.js", build }) }));
    },
  },
  {
    code: "build/queue-timeout",
    how: "another build keeps the builder",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const before = slowBuild(stage, 16_000);
      await before.began;
      const injected = buildOf(await stage.fresh());
      await before.done;
      return injected;
    },
  },
  {
    code: "build/queue-full",
    how: "more builds of one owner than may wait",
    on: "bare",
    certainty: proved,
    async inject(stage) {
      const before = slowBuild(stage, 6_000);
      await before.began;
      const { build: waiting } = await commit(stage);
      const refused = await commit(stage).catch((error: unknown) => error);
      if (!(refused instanceof ApiError) || waiting === null) throw new Error("there was room");
      await stage.alice.client.cancelBuild(waiting);
      await before.done;
      return { id: refused.problem.waybill ?? "" };
    },
  },
  {
    code: "build/cancelled",
    how: "its owner cancels it while it runs",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { began, done } = slowBuild(stage, 60_000);
      const id = await began;
      await stage.alice.client.cancelBuild(id);
      await done;
      return { id };
    },
  },
  {
    code: "build/cancelled",
    how: "the operator cancels it while it waits",
    on: "main",
    certainty: proved,
    owner: "platform",
    async inject(stage) {
      const before = slowBuild(stage, 5_000);
      await before.began;
      const build = await queued(stage);
      await stage.up.admin.cancelBuild(build);
      await before.done;
      return { id: build };
    },
  },
  {
    code: "build/superseded",
    how: "a newer commit comes while it runs",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { began, done } = slowBuild(stage, 60_000);
      const id = await began;
      const { space } = await stage.alice.client.build(id);
      const build = await queued(stage, space);
      await done;
      await until("the newer one has ended", async () => (await stage.alice.client.build(build)).outcome);
      return { id };
    },
  },
  {
    code: "build/fetch-failed",
    how: "the repository is damaged while the build waits",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { up, alice } = stage;
      const before = slowBuild(stage, 5_000);
      await before.began;
      const name = `damaged${++committed}`;
      const build = await queued(stage, `alice/${name}`);
      for (const objects of globSync(join(up.data, "repositories", "**", `*${name}*`, "objects")))
        await rm(objects, { recursive: true });
      await until("the build has ended", async () => (await alice.client.build(build)).outcome);
      await before.done;
      return { id: build };
    },
  },
  {
    code: "build/publish-failed",
    how: "the folder of the releases is not one",
    on: "bare",
    certainty: proved,
    async inject(stage) {
      const releases = join(stage.up.data, "node", "releases");
      await rename(releases, `${releases}-away`);
      await writeFile(releases, "");
      try {
        return buildOf(await stage.fresh());
      } finally {
        await rm(releases, { force: true });
        await rename(`${releases}-away`, releases);
      }
    },
  },
  {
    code: "app/exit",
    how: "it exits at its start",
    on: "main",
    certainty: proved,
    inject: async (stage) =>
      buildOf(
        await stage.fresh({
          "package.json": scripts({ start: "node -e 'console.error(\"no model here\"); process.exit(3)'" }),
        }),
      ),
  },
  {
    code: "app/crash-loop",
    how: "it exits at each start",
    on: "main",
    certainty: provedOrLikely,
    async inject(stage) {
      const { space } = await stage.fresh({ "package.json": scripts({ start: "node -e 'process.exit(3)'" }) });
      await until("the platform gives up", async () =>
        (await stage.alice.client.space(space)).replicas.some(({ says }) => says.includes("not started again")),
      );
      return { id: space };
    },
  },
  {
    code: "app/not-listening",
    how: "it starts and never listens: the build",
    on: "main",
    certainty: proved,
    inject: async (stage) => buildOf(await silent(stage)),
  },
  {
    code: "app/not-listening",
    how: "it starts and never listens: a request after that",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { url } = await silent(stage);
      const { work } = await visit(`${url}/`, stage.alice);
      return { id: work };
    },
  },
];

let committed = 0;

/** A commit of a small app, whose build nobody follows. */
async function commit({ up, alice }: Stage, space = `alice/commit${++committed}`): Promise<CommitView> {
  const folder = up.write({
    "README.md": readme("sdk: node"),
    "package.json": scripts({ start: "node server.js" }),
    "server.js": "0",
  });
  return alice.client.commit(space, await commitBody(folder, await listFolder(folder), "Deploy"));
}

function buildOf({ deployed }: App): { id: string } {
  if (!deployed.build) throw new Error("there was no build");
  if (deployed.ok) throw new Error("it runs");
  return { id: deployed.build.id };
}

function silent({ fresh }: Stage): Promise<App> {
  return fresh({
    "README.md": readme("sdk: node\nstartup_duration_timeout: 1s"),
    "server.js": "setInterval(() => {}, 1000);\n",
  });
}

/** The build of a commit that waits for its turn. */
async function queued(stage: Stage, space?: string): Promise<string> {
  const { build } = await commit(stage, space);
  if (build === null) throw new Error("the commit made no build");
  return build;
}

/** A build that has the builder for `ms`: its id, once it has it, and its end. */
export function slowBuild(
  { fresh }: Stage,
  ms: number,
): { readonly began: Promise<string>; readonly done: Promise<unknown> } {
  const began = Promise.withResolvers<string>();
  const done = fresh({ "package.json": scripts({ start: "node server.js", build: sleeps(ms) }) }, (event) => {
    if (event.type === "build" && event.build.stage === "building") began.resolve(event.build.id);
  }).catch(() => undefined); // The platform may be killed under it; what matters is the case's own build.
  return { began: began.promise, done };
}

/** What the push of these files is known by, when it is refused. */
async function pushed({ up, alice }: Stage, files: Readonly<Record<string, Uint8Array>>): Promise<Injected> {
  using client = new GitClient();
  const url = `${up.url.replace("://", `://any:${alice.token}@`)}/spaces/${alice.name}/pushed`;
  const { exitCode, says } = await client.init("pushed", url, files).run("push", "origin", "main");
  const id = /remote: explain: (b_\w+)/.exec(says)?.[1];
  if (exitCode === 0 || id === undefined) throw new Error(`the push was not refused with what it is known by: ${says}`);
  return { id };
}
