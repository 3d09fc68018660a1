/** The examples of docs/webhooks.md: both take what the platform signs, and refuse what it did not. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { newWebhookSecret, signatureHeaders } from "../src/control/webhooks/signature.ts";
import { instant } from "../src/stdx/time.ts";
import { needs } from "./support/needs.ts";

interface Shown {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly secret: string;
  readonly now: number;
}

const text = readFileSync(join(import.meta.dirname, "../docs/webhooks.md"), "utf8");
const block = (language: string): string => text.split(`\`\`\`${language}\n`)[1]?.split("```")[0] ?? "";

const at = instant(Date.UTC(2026, 10, 30, 12));
const now = at / 1_000;
const body = '{"type":"webhook.test","data":{"says":"für alle"}}';
const drawn = (seed: number) => newWebhookSecret((count) => new Uint8Array(count).fill(seed));
const [secret, former, other] = [drawn(1), drawn(2), drawn(3)];
const headers = signatureHeaders({ id: "dl_1", at, body }, [secret, former]);
const shown: Shown = { headers, body, secret, now };

/** What is shown to an example, and whether it takes it. */
const cases: readonly (readonly [what: string, shown: Shown, taken: boolean])[] = [
  ["as it was sent", shown, true],
  ["with the former secret", { ...shown, secret: former }, true],
  ["within five minutes", { ...shown, now: now + 299 }, true],
  ["too late", { ...shown, now: now + 302 }, false],
  ["from a clock that is ahead", { ...shown, now: now - 302 }, false],
  ["with another secret", { ...shown, secret: other }, false],
  ["with another body", { ...shown, body: body.replace("alle", "alls") }, false],
  ["under another id", { ...shown, headers: { ...headers, "webhook-id": "dl_2" } }, false],
  ["with another time", { ...shown, headers: { ...headers, "webhook-timestamp": String(now + 1) } }, false],
  ["with a time that is none", { ...shown, headers: { ...headers, "webhook-timestamp": "soon" } }, false],
  ["with no signature", { ...shown, headers: { ...headers, "webhook-signature": "" } }, false],
  ["with half a signature", { ...shown, headers: { ...headers, "webhook-signature": "v1,AAAA v1, v2" } }, false],
];

const harnesses: Readonly<Record<string, (example: string) => readonly [program: string, ...args: string[]]>> = {
  python: (example) => [
    "/usr/bin/python3",
    "-c",
    `${example}
import json, sys
for one in json.load(sys.stdin):
    try:
        verify(one["headers"], one["body"].encode(), one["secret"], one["now"])
        print("taken")
    except ValueError:
        print("refused")`,
  ],
  js: (example) => [
    process.execPath,
    "--input-type=module",
    "-e",
    `${example}
import { readFileSync } from "node:fs";
for (const { headers, body, secret, now } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    verify(headers, Buffer.from(body), secret, now);
    console.log("taken");
  } catch {
    console.log("refused");
  }
}`,
  ],
};

for (const [language, harness] of Object.entries(harnesses)) {
  const needed = language === "python" ? await needs("python3") : {};
  test(`the example in ${language} takes what was signed lately with either secret, and nothing else`, needed, () => {
    const example = block(language);
    assert.match(example, /verify\(/);
    const [program, ...args] = harness(example);
    const input = JSON.stringify(cases.map(([, one]) => one));
    const { stdout, stderr, status } = spawnSync(program, args, { input, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const told = stdout.trim().split("\n");
    for (const [n, [what, , taken]] of cases.entries()) assert.equal(told[n], taken ? "taken" : "refused", what);
  });
}
