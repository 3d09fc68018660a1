/** `waybill doctor` on real machines: things are broken for it, and it says which, with what to do. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Doctored } from "../src/cli/commands/doctor.ts";
import type { Row } from "../src/doctor/checks.ts";
import { Authority, createRoot } from "../src/tls/authority.ts";
import { h100, StandInSmi } from "./support/nvidia-smi.ts";
import { Platform, until } from "./support/platform.ts";
import type { Account, App } from "./support/platform.ts";

const waybill = resolve(import.meta.dirname, "../bin/waybill.js");
const folder = mkdtempSync(join(tmpdir(), "wb-doctor-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly text: string;
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  as?: readonly string[],
): Promise<Ran> {
  const [program, ...rest] = [...(as ?? []), process.execPath, waybill, "doctor", ...args];
  // No sign-in of whoever runs the tests.
  const own = { PATH: process.env["PATH"] ?? "", HOME: join(folder, "home"), ...env };
  return new Promise((done) => {
    execFile(program as string, rest, { env: own, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      done({ code: typeof error?.code === "number" ? error.code : 0, text: stdout === "" ? stderr : stdout }),
    );
  });
}

async function doctor(
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
  as?: readonly string[],
): Promise<Doctored & { code: number; of: (check: string) => Row }> {
  const { code, text } = await run([...args, "--json"], env, as);
  const answer = JSON.parse(text) as Doctored;
  const of = (check: string): Row => {
    const row = answer.rows.find((one) => one.check === check);
    assert.ok(row, text);
    return row;
  };
  return { ...answer, code, of };
}

describe("a machine", () => {
  test("without a platform is told what a start would find, in rows and in one document, and nothing is made", async () => {
    const data = join(folder, "none");
    const { code, of, rows, failed } = await doctor(["--data", data, "--port", "0", "--sandbox", "none"]);
    assert.deepEqual(
      [of("data").level, of("journal").level, of("keys").level, of("server").level],
      ["ok", "ok", "skip", "skip"],
    );
    assert.match(of("disk").says, /a sync takes|in memory|container's own layer/);
    assert.equal(code, failed === 0 ? 0 : 1);
    const { text } = await run(["--data", data, "--port", "0", "--sandbox", "none"]);
    for (const { level, check } of rows) assert.match(text, new RegExp(`^${level} +${check} `, "m"));
    assert.deepEqual(
      readdirSync(folder).filter((name) => name !== "home"),
      [],
    );
  });

  test("with settings that cannot be read is told all of them, and is looked at as far as goes without them", async () => {
    const { code, of } = await doctor(["--data", join(folder, "none"), "--sandbox", "docker"], {
      WAYBILL_PORT: "many",
    });
    assert.equal(code, 1);
    assert.match(of("settings").says, /WAYBILL_PORT is "many".*--sandbox is "docker"/s);
    assert.deepEqual([of("port").level, of("git").level], ["skip", "ok"]);
  });

  test("whose port another program has, whose cards fail and whose server is somebody else's is told each", async () => {
    using smi = new StandInSmi({ driver: "580.1", cards: [h100()] });
    const other = createServer((_, response) => response.end("a shop")).listen(0, "127.0.0.1");
    await new Promise((done) => other.once("listening", done));
    const { port } = other.address() as AddressInfo;
    const env = { WAYBILL_NVIDIA_SMI: smi.command, WAYBILL_URL: `http://127.0.0.1:${port}` };
    const args = ["--data", join(folder, "none"), "--port", String(port), "--sandbox", "none"];
    const found = await doctor(args, env);
    assert.deepEqual([found.of("port").level, found.of("server").level], ["fail", "fail"]);
    assert.match(found.of("gpus").says, /^1 of NVIDIA H100 \(stand-in\), driver 580\.1$/);
    smi.set({ driver: "580.1", cards: [], fails: "Failed to initialize NVML: Driver/library version mismatch" });
    other.close();
    const worse = await doctor(args, env);
    assert.match(worse.of("gpus").says, /version mismatch/);
    assert.match(worse.of("server").says, /does not answer: .*ECONNREFUSED/);
    assert.equal(worse.of("port").level, "ok");
    const none = await doctor(args, { WAYBILL_NVIDIA_SMI: join(folder, "nothing") });
    assert.equal(none.of("gpus").level, "skip");
  });

  test("whose data folder is a file, or its user's to read alone, is told so", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const { of } = await doctor(["--data", file, "--sandbox", "none"]);
    assert.deepEqual(
      [of("data").level, of("disk").says.includes("not tried") || of("disk").level !== "ok"],
      ["fail", true],
    );
    rmSync(file);
    if (process.getuid?.() !== 0) return;
    const closed = join(folder, "closed");
    mkdirSync(closed);
    chmodSync(folder, 0o755);
    chmodSync(closed, 0o555);
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    const found = await doctor(["--data", closed, "--sandbox", "none"], {}, nobody);
    assert.deepEqual([found.of("data").level, found.of("disk").level], ["fail", "skip"]);
    assert.match(found.of("cgroups").says, /only root/);
    rmSync(closed, { recursive: true });
  });

  test("whose certificates have ended, are for other names or are none is told each", async () => {
    const own = join(folder, "ca");
    const then = Date.now() - 100 * 86_400_000;
    await createRoot(own, { now: then, name: "the operator's" });
    const write = async (name: string, names: readonly [string, ...string[]], now: number): Promise<string> => {
      const { cert, key } = await (await Authority.open({ folder: own, now: () => now })).issued(names);
      writeFileSync(join(folder, `${name}.pem`), cert);
      writeFileSync(join(folder, `${name}.key`), key);
      return `${join(folder, `${name}.pem`)},${join(folder, `${name}.key`)}`;
    };
    const of = async (tls: string): Promise<Row> =>
      (
        await doctor([
          "--data",
          join(folder, "none"),
          "--sandbox",
          "none",
          "--apps-domain",
          "apps.example",
          "--tls",
          tls,
        ])
      ).of("certificates");
    const [ended, other, good, none] = await Promise.all([
      of(await write("ended", ["*.apps.example"], then)),
      of(await write("other", ["shop.example"], Date.now())),
      of(await write("good", ["*.apps.example"], Date.now())),
      of(`${join(folder, "gone.pem")},${join(folder, "gone.key")}`),
    ]);
    assert.deepEqual([ended.level, /the certificate ended on/.test(ended.says)], ["fail", true]);
    assert.deepEqual([other.level, other.says.endsWith("is not for *.apps.example")], ["warn", true], other.says);
    assert.deepEqual([good.level, /for \*\.apps\.example, \d+ days left/.test(good.says)], ["ok", true], good.says);
    assert.deepEqual([none.level, none.says.includes("ENOENT")], ["fail", true]);
    for (const name of readdirSync(folder))
      if (/^(ca|ended|other|good)/.test(name)) rmSync(join(folder, name), { recursive: true });
  });
});

describe("a folder of a Space", () => {
  const of = (files: Readonly<Record<string, string>>): Promise<Doctored & { code: number }> => {
    const space = mkdtempSync(join(folder, "space-"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(space, name), text);
    return doctor([space]);
  };
  const told = ({ rows }: Doctored): readonly string[] =>
    rows.map(({ check, level, says }) => `${level} ${check}: ${says}`);

  test("is told by its front matter and its files, without a server", async () => {
    assert.match(told(await of({}))[0] ?? "", /^fail front matter: there is no README\.md/);
    const wrong = await of({ "README.md": "---\nsdk: gradi\n---\n" });
    assert.equal(wrong.code, 1);
    assert.match(told(wrong)[0] ?? "", /^fail front matter: line 2: /);
    const without = await of({ "README.md": "---\nsdk: gradio\nsdk_version: 6.0.0\n---\n" });
    assert.match(told(without).at(-1) ?? "", /^fail files: app\.py is not there/);
    const whole = await of({ "README.md": "---\nsdk: node\n---\n", "package.json": "{}" });
    assert.deepEqual([whole.code, told(whole)], [0, ["ok front matter: sdk node", "ok files: package.json is there"]]);
  });

  test("what is neither a folder nor a Space is wrong usage", async () => {
    assert.equal((await run(["nothing-here"])).code, 2);
  });
});

describe("a platform", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    app = await up.deploy(alice, "app");
  });
  after(() => up[Symbol.asyncDispose]());

  const asked = (more: readonly string[] = []): ReturnType<typeof doctor> => {
    const env = { WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token };
    return doctor(["--data", up.data, "--port", new URL(up.url).port, "--sandbox", "none", ...more], env);
  };

  test("that runs is well, and so is its Space", async () => {
    const { of } = await asked();
    const levels = ["data", "port", "journal", "keys", "server", "versions"].map((check) => [check, of(check).level]);
    assert.deepEqual(
      levels,
      ["data", "port", "journal", "keys", "server", "versions"].map((check) => [check, "ok"]),
    );
    assert.match(of("port").says, /^the platform listens at/);
    const env = { WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token };
    const { code, rows } = await doctor([app.space], env);
    assert.deepEqual(
      [code, rows.map(({ check, level }) => `${level} ${check}`)],
      [0, ["ok state", "ok last build", "ok replica", "ok address"]],
    );
    assert.equal((await run(["alice/nothing"], env)).code, 3);
  });

  test("whose Space cannot be built is told why, with the lines that say so", async () => {
    const broken = up.write({ "README.md": "---\nsdk: gradi\n---\n", "app.py": "" });
    await up
      .deploy(alice, "broken", { "README.md": readFileSync(join(broken, "README.md"), "utf8") })
      .catch(() => undefined); // That it fails is the point.
    const env = { WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token };
    const { code, of } = await doctor(["alice/broken"], env);
    assert.equal(code, 1);
    assert.match(of("last build").says, /^b_\w+ failed \(build\/[\w-]+\): /);
    assert.match(of("last build").try ?? "", /^waybill explain b_/);
    assert.equal(of("address").level, "skip");
  });

  test("gives a bundle for whoever helps, with its last failures and logs, and no secret in any form", async () => {
    const planted = {
      space: "S3cret-of-a-Space-9f8e7d6c",
      url: "Passw0rd-in-a-URL-4711",
      database: "Passw0rd-of-a-database",
      variable: "Token-of-the-operators-own",
      cookie: "Value-of-a-c00kie-1234",
      key: "MC4CAQAwBQYDK2VwBCIEIPlanted",
    };
    const space = "alice/talks";
    await alice.client.createSpace(space, { private: false });
    await alice.client.setSecret(space, { key: "APP_SECRET", value: planted.space });
    const { url } = await up.deploy(alice, "talks", { "server.js": talkingApp(planted) });
    const headers = { cookie: `session=${planted.cookie}` };
    const visitorToken = await (await fetch(url, { headers })).text();
    assert.match(visitorToken, /^eyJ/);
    assert.equal((await fetch(url, { headers: { authorization: `Bearer ${alice.token}x` } })).status, 401);
    await until("the app has said all of it", async () =>
      (await up.logTexts(space)).some((text) => text.includes("said all")),
    );
    const seal = readFileSync(join(up.data, "secrets.key"), "utf8").trim().split(" ").at(-1) ?? "";
    const secrets = [...Object.values(planted), visitorToken, alice.token, up.operatorToken, seal];
    const env = {
      WAYBILL_URL: up.url.replace("//", `//operator:${planted.url}@`),
      WAYBILL_TOKEN: alice.token,
      WAYBILL_JOURNAL: `postgres://waybill:${planted.database}@127.0.0.1:1/waybill`,
      DEPLOY_TOKEN: planted.variable,
    };
    const of = async (name: string): Promise<ReadonlyMap<string, string>> => {
      const file = join(folder, `${name}.tar.gz`);
      const { code, bundle } = await doctor(
        ["--data", up.data, "--port", "0", "--sandbox", "none", "--bundle", file],
        env,
      );
      assert.deepEqual(
        [code, bundle?.file, statSync(file).mode & 0o777],
        [1, file, 0o600],
        "the server's address is wrong",
      );
      const files = filesOf(file);
      assert.deepEqual([...files.keys()], bundle?.files);
      const bytes = [...files].map(([path, text]) => `${path}\n${text}`).join("\n");
      for (const secret of secrets)
        for (const form of formsOf(secret)) assert.ok(!bytes.includes(form), `${name} has ${form}:\n${bytes}`);
      assert.ok(!bytes.includes("PRIVATE KEY"), "no key's lines");
      return files;
    };
    const running = await of("running");
    const logs = [...running]
      .filter(([path]) => path.startsWith("logs/replica-"))
      .map(([, text]) => text)
      .join("");
    assert.match(logs, /hello from the app/);
    const failures = JSON.parse(running.get("failures.json") ?? "") as { hop: string; facts: { code?: string } }[];
    assert.ok(
      failures.some(({ facts }) => facts.code === "identity/bad-token"),
      JSON.stringify(failures),
    );
    assert.match(running.get("configuration.json") ?? "", /"WAYBILL_JOURNAL": "\(set\)"/);
    assert.match(running.get("doctor.json") ?? "", /"check": "disk"/);
    const again = await run(["--data", up.data, "--sandbox", "none", "--bundle", join(folder, "running.tar.gz")], env);
    assert.deepEqual(
      [again.code, /could not be written/.test(again.text)],
      [2, true],
      "what is there is not written over",
    );
    await up.stop();
    await of("stopped");
    await up.up();
  });

  test("that is stopped and was damaged is told by file: its mark, its key's rights, its key, its kept keys", async () => {
    await up.stop();
    await until("it has ended", () => up.hasEnded);
    const whole = await asked();
    assert.deepEqual(
      [whole.of("journal").level, whole.of("keys").level, whole.of("port").level, whole.of("server").level],
      ["ok", "ok", "ok", "fail"],
    );
    const [mark, key, db] = ["journal.mark", "secrets.key", "journal.db"].map((name) => join(up.data, name)) as [
      string,
      string,
      string,
    ];
    for (const file of [mark, key, db]) copyFileSync(file, `${file}.kept`);
    writeFileSync(mark, "x".repeat(1_024));
    chmodSync(key, 0o644);
    const damaged = await asked();
    assert.deepEqual([damaged.code, damaged.of("journal").level], [1, "fail"]);
    assert.match(damaged.of("journal").says, /journal\.mark/);
    assert.match(damaged.of("keys").says, /^others may read .*secrets\.key \(mode 644\)/);
    chmodSync(key, 0o600);
    writeFileSync(key, "no key at all\n");
    assert.match((await asked()).of("keys").says, /no key that can be read/);
    for (const file of [mark, key, db]) copyFileSync(`${file}.kept`, file);
    assert.equal((await asked()).of("journal").level, "ok", "what was looked at was not changed");
  });
});

/** Prints what it should not, in every form. */
function talkingApp({ url, key }: { readonly url: string; readonly key: string }): string {
  return `
import { createServer } from "node:http";
const bytes = Buffer.from(process.env.APP_SECRET ?? "");
console.log("hello from the app", bytes.toString(), bytes.toString("base64"), bytes.toString("base64url"));
console.log("hex", bytes.toString("hex"), bytes.toString("hex").toUpperCase());
console.log("https://someone:${url}@db.example/ and -----BEGIN PRIVATE KEY-----\\n${key}\\n-----END PRIVATE KEY-----");
createServer((request, response) => {
  const { cookie, authorization, "x-ip-token": token } = request.headers;
  console.log(JSON.stringify({ token, cookie, authorization }));
  console.log("said all");
  response.end(token);
}).listen(process.env.PORT);
`;
}

/** How a secret may stand in a text. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const encoded = (["base64", "base64url", "hex"] as const).map((form) => bytes.toString(form).replace(/=+$/, ""));
  return [secret, ...encoded, bytes.toString("hex").toUpperCase(), encodeURIComponent(secret)];
}

/** By the machine's own tar. */
function filesOf(archive: string): ReadonlyMap<string, string> {
  const names = execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n");
  return new Map(names.map((name) => [name, execFileSync("tar", ["-xzOf", archive, name], { encoding: "utf8" })]));
}
