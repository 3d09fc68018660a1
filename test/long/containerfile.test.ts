// share/Containerfile, built and run: the packed package in a container, with its sandbox, over a stop and a start.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WaybillClient } from "../../src/client/api.ts";
import { deployFolder } from "../../src/client/deploy.ts";
import { buildOptions, containerBase, noContainerBase, runOptions } from "../support/container-base.ts";
import { freePort } from "../support/free-port.ts";
import { programOnPath } from "../support/needs.ts";
import { fixtureFiles, until } from "../support/platform.ts";

const root = join(import.meta.dirname, "..", "..");
const podman = programOnPath(["podman"]) ?? "podman";
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
const containerfile = join(root, "share", "Containerfile");
const named = /^ARG BASE=(.*)$/m.exec(readFileSync(containerfile, "utf8"))?.[1] ?? "";
const skip = noContainerBase(programOnPath(["podman"]));
/** Packages of Debian and of npm over a slow line; only a hang takes so long. */
const withinMs = 1_200_000;
const own = `waybill-test-${process.pid}`;

describe("the image of share/Containerfile", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-containerfile-"));
  let base: Awaited<ReturnType<typeof containerBase>>;
  const run = (...args: readonly string[]): string =>
    execFileSync(podman, args, { encoding: "utf8", timeout: withinMs, stdio: ["ignore", "pipe", "inherit"] });
  before(async () => {
    base = await containerBase(podman, named);
  });
  after(() => {
    run("rm", "--force", "--ignore", "--time", "60", own);
    run("volume", "rm", "--force", own);
    run("rmi", "--force", "--ignore", own);
    if (typeof base === "object" && base.isMade) run("rmi", "--force", "--ignore", base.image);
    rmSync(folder, { recursive: true, force: true });
  });

  test("is built of the packed package, runs an app in its sandbox, ends when it is stopped, and starts the app again", async (t) => {
    if (typeof base === "string") return t.skip(base);
    const runs = runOptions(podman, base.image);
    if (typeof runs === "string") return t.skip(runs);
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: root, timeout: withinMs });
    const [tarball = ""] = readdirSync(folder);
    assert.equal(tarball, `waybill-${version}.tgz`);
    copyFileSync(containerfile, join(folder, "Containerfile"));
    run("build", ...buildOptions, "--build-arg", `BASE=${base.image}`, "--tag", own, folder);
    assert.equal(run(...runs, "--rm", own, "version"), `${version}\n`);

    const port = await freePort();
    const kept = ["--volume", `${own}:/data`, "--name", own, "--detach"];
    run(...runs, ...kept, own, "up", "--data", "/data", "--port", String(port), "--json", "--simulate-gpus", "1x2");
    const ready = await readyLine(0);
    assert.equal(new URL(ready.url).port, String(port));
    const client = new WaybillClient(ready);
    assert.notEqual((await client.status()).isolation?.level ?? "none", "none", "apps have a sandbox in there too");
    const source = join(folder, "app");
    mkdirSync(source);
    for (const [name, text] of Object.entries(fixtureFiles())) writeFileSync(join(source, name), text);
    const { space } = await deployFolder(client, source, "admin/app", { waitMs: withinMs });
    const address = space.addresses.at(-1) ?? "";
    const asked = async (token: string, path: string): Promise<string> =>
      (await fetch(address + path, { headers: { authorization: `Bearer ${token}` } })).text();
    assert.equal(await asked(ready.token, "/"), "ok");
    assert.match(await asked(ready.token, "/gpu/hold?seconds=0.1"), /"held":|seconds/);

    run("stop", "--time", "120", own);
    assert.equal(run("inspect", "--format", "{{.State.ExitCode}}", own), "0\n");
    run("start", own);
    const again = await readyLine(1);
    await until("its app answers again", async () => (await asked(again.token, "/").catch(() => "")) === "ok");
    assert.equal(run("exec", own, "waybill", "version"), `${version}\n`);
  });

  /** What the platform prints first, of its starts so far the newest. */
  async function readyLine(before: number): Promise<{ readonly url: string; readonly token: string }> {
    const lines = await until("the platform in the container is ready", () => {
      const said = execFileSync(podman, ["logs", own], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
        .split("\n")
        .filter((line) => line.startsWith('{"'));
      return said.length > before && said;
    });
    return JSON.parse(lines.at(-1) ?? "") as { readonly url: string; readonly token: string };
  }
});
