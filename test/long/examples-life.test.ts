/** Every kind of example as it is, through a Space's life: deployed, called, started again, put to sleep, woken, changed and rolled back. */
import assert from "node:assert/strict";
import { chmodSync, cpSync, linkSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "@gradio/client";
import { deployFolder } from "../../src/client/deploy.ts";
import type { SpaceView } from "../../src/contract/api.ts";
import { baseArchive } from "../support/images.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit, type Account } from "../support/platform.ts";
import { findPackages } from "../support/run.ts";

const examples = resolve(import.meta.dirname, "../../examples");
const { skip: noSandbox } = await needs("sandbox");
const { skip: noGradio } = await needs("gradio");
const { skip: noImages } = await needs("sandbox", "images", "debian");
/** A cold install of the largest takes a minute on a slow line. */
const runsWithinMs = 600_000;

interface Example {
  readonly name: string;
  readonly folder: string;
  readonly skip: string | false;
  /** Its front matter's version, where it is to have another. */
  readonly version?: string;
  /** Uses it as its visitors do. */
  readonly call: (url: string, visitor: Account) => Promise<void>;
}

async function draw(url: string, { token }: Account): Promise<void> {
  const client = await Client.connect(url, { token: token as `hf_${string}` });
  try {
    const { data } = await client.predict("/draw", [1, 10]);
    assert.match(JSON.stringify(data), /"url":"http/);
  } finally {
    client.close();
  }
}

const says =
  (path: string, text: RegExp) =>
  async (url: string, visitor: Account): Promise<void> => {
    const answer = await visit(`${url}${path}`, visitor);
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.text, text);
  };

const all: readonly Example[] = [
  ...["4.44.1", "5.50.0", "6.31.0"].map((version) => ({
    name: `Gradio ${version}`,
    ...{ folder: "mandelbrot", skip: noGradio, version, call: draw },
  })),
  { name: "Streamlit", folder: "streamlit", skip: noGradio, call: says("/_stcore/health", /^ok$/) },
  { name: "FastAPI in Docker", folder: "docker-fastapi", skip: noImages, call: says("/api/count", /"version": ?1/) },
  { name: "Node", folder: "node-mandelbrot", skip: false, call: says("/", /<html/i) },
  { name: "static", folder: "static", skip: false, call: says("/", /<html/i) },
];

describe("the examples", () => {
  let up: Platform;
  let author: Account;
  let visitor: Account;
  let archives: string;
  let folders: string;

  before(async () => {
    [archives, folders] = [mkdtempSync(join(tmpdir(), "wb-images-")), mkdtempSync(join(tmpdir(), "wb-examples-"))];
    chmodSync(archives, 0o755);
    if (noImages === false) linkSync(await baseArchive(), join(archives, "python-3.11-slim.tar"));
    const env = { WAYBILL_IMAGES: archives };
    up = await Platform.start({ gpus: "1x2", sandbox: noSandbox === false ? "bubblewrap" : "none", env });
    author = await up.account("demo");
    visitor = await up.account("visitor");
    await findPackages(up, author);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    for (const folder of [archives, folders]) rmSync(folder, { recursive: true, force: true });
  });

  for (const [n, { name, folder, skip, version, call }] of all.entries()) {
    test(`${name}: deployed, called, started again, put to sleep, woken, changed, rolled back`, { skip }, async () => {
      const [space, source] = [`demo/life${n}`, join(folders, String(n))];
      cpSync(join(examples, folder), source, { recursive: true });
      const readme = readFileSync(join(source, "README.md"), "utf8");
      if (version !== undefined)
        writeFileSync(join(source, "README.md"), readme.replace(/^sdk_version: .*$/m, `sdk_version: ${version}`));
      const deploy = async (): Promise<SpaceView> => {
        const deployed = await deployFolder(author.client, source, space, { waitMs: runsWithinMs });
        assert.equal(deployed.ok, true, `${deployed.says}\n${(await up.logTexts(space)).join("\n")}`);
        return deployed.space;
      };
      const view = (): Promise<SpaceView> => author.client.space(space);
      const ready = ({ replicas }: SpaceView): readonly string[] =>
        replicas.filter(({ phase }) => phase === "ready").map(({ id }) => id);

      const first = await deploy();
      const url = first.addresses.at(-1) ?? "";
      await call(url, visitor);

      // A static Space has no process that could be started again or sleep: its files are there.
      if (folder === "static") await assert.rejects(author.client.restart(space), /has no process/);
      else {
        await author.client.restart(space);
        await until("another replica serves", async () => {
          const now = await view();
          return now.state === "running" && ready(now).length === 1 && ready(now)[0] !== ready(first)[0];
        });
        await call(url, visitor);

        await author.client.changeSpace(space, { "sleep-after": "1s" });
        await until("it sleeps", async () => {
          const { state, replicas } = await view();
          return state === "sleeping" && replicas.every(({ phase }) => phase === "stopped" || phase === "exited");
        });
        await author.client.changeSpace(space, { "sleep-after": "1h" });
        await call(url, visitor);
        assert.equal((await view()).state, "running");
      }

      writeFileSync(join(source, "notes.txt"), "another release\n");
      const second = await deploy();
      assert.notEqual(second.release, first.release);
      await call(url, visitor);

      await author.client.rollBack(space);
      await until("the first release serves again", async () => {
        const now = await view();
        return now.state === "running" && now.release === first.release;
      });
      await call(url, visitor);
      await author.client.pause(space);
    });
  }
});
