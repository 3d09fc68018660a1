/** Variables and secrets on a real platform: they reach the app, and a secret is found nowhere else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { LogLine } from "../../src/contract/agent.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, upRefused, visit } from "../support/platform.ts";

const value = "tränen-und/küsse+42==";
const forms = [value, Buffer.from(value).toString("base64").slice(0, -4), encodeURIComponent(value)];

/** Tells of its environment what is asked, and prints its secret in all ways when it starts and when it is asked to. */
const app = `
  import { createServer } from "node:http";
  const print = () => {
    const key = process.env.API_KEY ?? "none";
    console.log("plain " + key);
    console.error("base64 " + Buffer.from(key).toString("base64") + " url " + encodeURIComponent(key));
    process.stdout.write("in two " + key.slice(0, 5));
    setTimeout(() => console.log(key.slice(5) + " pieces"), 100);
  };
  print();
  createServer((request, response) => {
    const url = new URL(request.url, "http://a");
    if (url.pathname === "/exit") process.exit(3);
    if (url.pathname === "/print") print();
    response.end(process.env[url.searchParams.get("name")] ?? "none");
  }).listen(process.env.PORT);`;

const sandboxed = await needs("sandbox");

describe("variables and secrets", () => {
  for (const sandbox of ["none", "bubblewrap"] as const)
    test(
      `a secret reaches the app (sandbox ${sandbox}), is masked in its log and in no file, also after a crash of both`,
      sandbox === "none" ? {} : sandboxed,
      async () => {
        // All of its disk is read, and grep holds a line of zeros whole.
        const small = { WAYBILL_APP_DATA_MB: "64", WAYBILL_APP_DISK_MB: "64" };
        await using up = await Platform.start({ sandbox, env: small });
        const alice = await up.account("alice");
        const { space, url, deployed } = await up.deploy(alice, "keys", { "server.js": app });
        assert.ok(deployed.ok, deployed.says);
        const env = async (name: string): Promise<string> => (await visit(`${url}/?name=${name}`, alice)).text;
        assert.equal(await env("API_KEY"), "none");

        // Requests are answered all the while that the app is started again with it.
        let answers = 0;
        const watched = new AbortController();
        const watching = (async () => {
          for (; !watched.signal.aborted; answers++) {
            const { status, text } = await visit(url, alice);
            assert.equal(status, 200, text);
          }
        })();
        const first = await up.replica(space);
        await alice.client.setSecret(space, { key: "API_KEY", value });
        await alice.client.setVariable(space, { key: "GREETING", value: "hello" });
        await until(
          "both are there",
          async () => (await env("API_KEY")) === value && (await env("GREETING")) === "hello",
        );
        watched.abort();
        await watching;
        assert.ok(answers > 0);
        await until("the first replica is gone", async () =>
          (await up.admin.space(space)).replicas.every(({ id, phase }) => id !== first.id || phase === "stopped"),
        );

        await visit(`${url}/print`, alice);
        const log = await until("the secret is printed in all ways", async () => {
          const lines = await logOf(up, space);
          return lines.some(({ text }) => text.endsWith("pieces")) ? lines : undefined;
        });
        const texts = log.map(({ text }) => text).join("\n");
        assert.match(texts, /plain \*\*\*API_KEY\*\*\*/);
        assert.match(texts, /base64 \*\*\*API_KEY\*\*\*\S* url \*\*\*API_KEY\*\*\*/);
        assert.match(texts, /in two \*\*\*API_KEY\*\*\* pieces/);
        assert.match(
          texts,
          /starts with 1 variable and 1 secret of its owner's; last changed: variable GREETING was set by alice/,
        );

        // The platform dies, the app goes on, and dies later: the next one has it too, though no file does.
        const second = await up.replica(space);
        await up.restart();
        assert.equal((await up.replica(space)).id, second.id);
        await visit(`${url}/exit`, alice).catch(() => undefined); // It ends in the middle of that.
        const third = await until("the app is started again", async () => {
          const found = await up.replica(space).catch(() => undefined); // None is ready for a moment.
          return found && found.id !== second.id ? found : undefined;
        });
        assert.equal(await until("it answers", () => env("API_KEY")), value);

        assert.deepEqual(filesWith(up.data), []);
        assert.deepEqual(commandLinesWith(), []);
        assert.deepEqual(Object.keys(await alice.client.secrets(space)), ["API_KEY"]);

        await alice.client.unsetSecret(space, "API_KEY");
        await until("it is gone from the app", async () => (await env("API_KEY")) === "none");
        assert.notEqual((await up.replica(space)).id, third.id);

        // Without the key a platform that has secrets says so, and starts when it is back.
        await alice.client.setSecret(space, { key: "API_KEY", value });
        await up.stop();
        const key = join(up.data, "secrets.key");
        renameSync(key, `${key}.away`);
        const refused = await upRefused(up.data, 0);
        assert.equal(refused.code, 1);
        assert.match(refused.out, /"secret-key-missing"/);
        assert.match(
          refused.out,
          /secrets\.key is not there, and secrets of Spaces in the database were encrypted with it/,
        );
        renameSync(`${key}.away`, key);
        await up.up();
        await until("the app has it again", async () => (await visit(`${url}/?name=API_KEY`, alice)).text === value);
      },
    );
});

async function logOf(up: Platform, space: string): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of up.admin.logs(space)) lines.push(line);
  return lines;
}

/** Files of the whole data folder in which the secret stands, in any form. */
function filesWith(folder: string): readonly string[] {
  const search = ["-rlaF", ...forms.flatMap((form) => ["-e", form]), folder];
  const { status, stdout, stderr } = spawnSync("grep", search, { encoding: "utf8" });
  // 1: there is none. 2: of what a sandbox's probes had there, something was gone before it was looked at.
  const failed = stderr.split("\n").filter((line) => line !== "" && !line.endsWith("No such file or directory"));
  assert.ok(status !== null && status <= 2 && failed.length === 0, `grep ended with ${status}: ${stderr}`);
  return stdout.split("\n").filter((name) => name !== "");
}

/** Processes whose command line, which everybody may read, holds it. */
function commandLinesWith(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return forms.some((form) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(form));
      } catch {
        return false; // It ended while we looked.
      }
    });
}
