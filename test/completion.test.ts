/** `waybill completion` in the shells themselves, with the ids of a server; and without one. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import { cliWorld } from "./support/cli-world.ts";
import { ScriptedConsole, space } from "./support/console-api.ts";
import { programOnPath } from "./support/needs.ts";

/** Only a hang takes so long. */
const withinMs = 120_000;
let folder: string;
let api: ScriptedConsole;
let url: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "wb-completion-"));
  symlinkSync(resolve(import.meta.dirname, "../bin/waybill.js"), join(folder, "waybill"));
  writeFileSync(join(folder, "app folder"), "");
  api = new ScriptedConsole();
  const items = ["alice/demo", "bob/other"].map((id) => ({ ...space, id }));
  api.routes.set("GET /api/spaces?form=views", { items, next: null });
  url = await api.listen();
});
after(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function inShell(shell: string, script: string): Promise<readonly string[]> {
  const path = [folder, process.execPath.replace(/\/node$/, ""), process.env["PATH"]].join(":");
  const env = {
    ...process.env,
    PATH: path,
    WAYBILL_URL: url,
    WAYBILL_TOKEN: "hf_wbtest",
    HOME: folder,
    WAYBILL_COMPLETION_MS: "60000",
  };
  const args =
    shell === "bash" ? ["--norc", "-c", script] : shell === "zsh" ? ["-f", "-c", script] : ["-N", "-c", script];
  return new Promise((done, reject) => {
    execFile(shell, args, { env, cwd: folder, timeout: withinMs }, (error, out, err) =>
      error ? reject(new Error(`${error.message}\n${err}`)) : done(out.split("\n").filter((line) => line !== "")),
    );
  });
}

const missing = (shell: string): string | false => (programOnPath([shell]) ? false : `no ${shell}`);

/** What each shell offers for a line, by its own means. */
const offers = {
  bash: (words: readonly string[]) =>
    inShell(
      "bash",
      `eval "$(waybill completion bash)"; COMP_WORDS=(waybill ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _waybill; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ),
  // Its completion system runs at a terminal alone: what it would be told is caught.
  zsh: (words: readonly string[]) =>
    inShell(
      "zsh",
      `autoload -U compinit; compinit -u -D; eval "$(waybill completion zsh)"; [[ \${_comps[waybill]} == _waybill ]] || exit 1
_describe() { print -rl -- \${\${(P)2}%%:*}; }; _files() { print -rl -- *; }
words=(waybill ${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length + 1}; _waybill || true`,
    ),
  fish: async (words: readonly string[]) =>
    (await inShell("fish", `waybill completion fish | source; complete -C 'waybill ${words.join(" ")}'`)).map(
      (line) => line.split("\t")[0] ?? "",
    ),
} as const;

for (const [shell, offered] of Object.entries(offers))
  describe(`completion in ${shell}`, { skip: missing(shell) }, () => {
    test("offers commands, options, ids of the server, and files", async () => {
      assert.deepEqual(await offered(["builds", "ca"]), ["cancel"]);
      assert.deepEqual(await offered(["logs", "--so"]), ["--source"]);
      assert.deepEqual(await offered(["logs", "al"]), ["alice/demo"]);
      // Zsh's own `_files`, which would look at what is typed, is caught too.
      assert.ok((await offered(["deploy", "app"])).includes("app folder"));
    });
  });

describe("waybill completion suggest", () => {
  const suggest = async (at: string): Promise<{ out: string; tookMs: number }> => {
    const { world, said } = cliWorld({ env: { WAYBILL_URL: at, WAYBILL_TOKEN: "hf_wbtest" } });
    const since = performance.now();
    assert.equal(await runCli(["completion", "suggest", "--", "logs", ""], world), 0);
    assert.equal(said.err, "");
    return { out: said.out, tookMs: performance.now() - since };
  };

  test("offers nothing where the server is away", async () => {
    assert.equal((await suggest("http://127.0.0.1:9")).out, "");
  });

  test("waits no longer than a person at a key for a server that does not answer", async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    try {
      await suggest("http://127.0.0.1:9"); // What it loads is there.
      const { out, tookMs } = await suggest(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
      assert.equal(out, "");
      // 120 ms, on a machine that has other things to do.
      assert.ok(tookMs < 2_000, `${tookMs} ms`);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
