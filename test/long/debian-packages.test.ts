/** packages.txt with the real apt and the machine's own sources: what an app has of Debian that its node has not. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { needs } from "../support/needs.ts";
import { Platform, visit, type Account, type App } from "../support/platform.ts";

const { skip } = await needs("sandbox", "apt");
/** Two that are rarely there: one whose program is an alternative, and a library that finds another through one. */
const packages = "figlet  # letters\nliblapack3\n";
const isHere = existsSync("/usr/bin/figlet");

const app = (asked: string): Readonly<Record<string, string>> => ({
  "README.md": "---\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "app", scripts: { start: "node server.js", build: "figlet made" } }),
  "packages.txt": asked,
  "server.js": `
    const { execFileSync } = require("node:child_process");
    const said = (...argv) => execFileSync(argv[0], argv.slice(1), { encoding: "utf8" });
    require("node:http")
      .createServer((_, response) => response.end(said("figlet", "up") + said("sh", "-c", "ldd /usr/lib/*/liblapack.so.3")))
      .listen(process.env.PORT);
  `,
});

describe("packages.txt", { skip: skip || (isHere && "figlet is installed here") }, () => {
  let up: Platform;
  let alice: Account;
  before(async () => {
    up = await Platform.start({ sandbox: "bubblewrap" });
    alice = await up.account("alice");
  });
  after(async () => await up?.[Symbol.asyncDispose]());

  const logOf = async ({ deployed }: App): Promise<string> => {
    const lines: string[] = [];
    for await (const { text } of alice.client.buildLog(deployed.build?.id ?? "")) lines.push(text);
    return lines.join("\n");
  };

  test("is fetched and laid over the machine's own, for the build and for the app, and never over the machine", async () => {
    const first = await up.deploy(alice, "letters", app(packages));
    assert.ok(first.deployed.ok, `${first.deployed.says}\n${await logOf(first)}`);
    const { text } = await visit(first.url, alice);
    assert.match(text, /\\__,_\|/);
    assert.match(text, /libblas\.so\.3 => \S+/);
    assert.doesNotMatch(text, /not found/);
    assert.ok(!existsSync("/usr/bin/figlet"));
  });

  test("that asks for the same again is not fetched again", async () => {
    const again = await up.deploy(alice, "letters", { ...app(packages), "more.txt": "more" });
    assert.match(await logOf(again), /^nothing to fetch: these Debian packages are there$/m);
  });

  test("with a package that nobody has fails with its line", async () => {
    const { deployed } = await up.deploy(alice, "unknown", app("figlet\nlibnothing-at-all9\n"));
    const { build } = deployed;
    assert.deepEqual([build?.code, build?.outcome], ["build/step-failed", "failed"]);
    assert.match(await logOf({ deployed } as App), /Unable to locate package libnothing-at-all9/);
  });
});
