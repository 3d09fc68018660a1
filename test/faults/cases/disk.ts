/** Apps that fill their disk, and disks that cannot be mounted. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { until, visit } from "../../support/platform.ts";
import { proved, type FaultCase, type Stage } from "../case.ts";

const app = {
  "README.md": "---\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "fills", version: "1.0.0", scripts: { start: "node server.js" } }),
  "server.js": `
const fs = require("node:fs");
require("node:http").createServer((request, response) => {
  response.end("ok");
  if (request.url === "/fill") setTimeout(() => { for (;;) fs.appendFileSync("/data/full", Buffer.alloc(1 << 20)); });
}).listen(process.env.PORT);`,
  "work.js": "",
};

async function ended({ up }: Stage, space: string, but: string | null = null): Promise<string> {
  return await until(
    "a replica has ended",
    async () =>
      (await up.admin.space(space)).replicas.find(({ id, phase }) => id !== but && /exited|lost/.test(phase))?.id,
  );
}

/** More than any disk has. */
const allOfIt = { env: { WAYBILL_DISK_RESERVE_MB: "16000000" } };

/** The platform starts with a disk that has less left than it keeps free, until the case is over. */
async function lowDisk({ up }: Stage): Promise<AsyncDisposable> {
  const restart = async (changed: Parameters<typeof up.up>[0]): Promise<void> => {
    await up.kill();
    await up.up(changed);
  };
  await restart(allOfIt);
  return { [Symbol.asyncDispose]: () => restart({ env: {} }) };
}

export const diskCases: readonly FaultCase[] = [
  {
    code: "runtime/disk-low",
    how: "an app is started again on a node whose disk is nearly full",
    on: "kills",
    certainty: proved,
    async inject(stage) {
      const { space } = await stage.fresh();
      const { id: before } = await stage.up.replica(space);
      await using _low = await lowDisk(stage);
      await stage.up.admin.restart(space);
      return { id: await ended(stage, space, before) };
    },
  },
  {
    code: "build/disk-low",
    how: "a build at a builder whose disk is nearly full",
    on: "kills",
    certainty: proved,
    async inject(stage) {
      await using _low = await lowDisk(stage);
      return { id: (await stage.fresh()).deployed.build?.id ?? "" };
    },
  },
  {
    code: "app/disk-full",
    how: "it fills its /data and does not expect that to end",
    on: "boxed",
    needs: "volumes",
    certainty: proved,
    async inject(stage) {
      const { space, url } = await stage.fresh(app);
      await visit(`${url}/fill`, stage.alice);
      const id = await ended(stage, space);
      return {
        id,
        also: ({ entries }) =>
          entries.some(({ hop, facts }) => hop === "replica.exit" && JSON.stringify(facts).includes("/data is"))
            ? undefined
            : "its end does not name the place",
      };
    },
  },
  {
    code: "runtime/disk-failed",
    how: "the file system of its /data is overwritten while it is paused",
    on: "boxed",
    needs: "volumes",
    certainty: proved,
    async inject(stage) {
      const { space, url } = await stage.fresh(app);
      await visit(url, stage.alice);
      const { id: before } = await stage.up.replica(space);
      await stage.up.admin.pause(space, {});
      const image = join(stage.up.data, "node", "spaces", encodeURIComponent(space), "data.ext4");
      await until("nobody has it", () => execFileSync("losetup", ["-j", image], { encoding: "utf8" }) === "");
      writeFileSync(image, "no file system");
      await stage.up.admin.resume(space);
      return { id: await ended(stage, space, before) };
    },
  },
];
