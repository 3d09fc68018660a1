/**
 * `npm run hub-suite -- --source FOLDER [--write]`: huggingface_hub's own tests, unmodified, against a platform. FOLDER is a copy of its
 * repository at the tag of {@link version}, since a package of it brings no tests. A test that fails without a reason of reasons.ts fails the
 * run; so does a reason that nothing needs any more. `--write` writes docs/compatibility.md.
 *
 * What is changed of the suite are the names in `tests/testing_constants.py`, as it asks for: the Hub's address and who is asking.
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { HubClient } from "../support/hub-client.ts";
import { Platform } from "../support/platform.ts";
import { pageOf } from "./page.ts";
import { reasonOf, reasons } from "./reasons.ts";
import { resultsIn, type Result } from "./results.ts";

const version = "1.28.0";
/** Those of its files that ask a Hub; all others are of the client alone. */
const files = [
  ...["auth", "cli", "cli_discussions", "commit_api", "commit_scheduler", "copy_files", "file_download", "hf_api"],
  ...["hf_file_system", "hub_mixin", "kernels", "lfs", "oauth", "repocard", "snapshot_download", "upload_large_folder"],
  ...["utils_headers", "utils_http", "utils_telemetry", "xet_download", "xet_upload"],
];
/** What the suite marks as being for the public Hub, or for services that run models. */
const left = "not production and not inference";
const withinMs = 3_600_000;
const atOnce = "2";

const { values } = parseArgs({ options: { source: { type: "string" }, write: { type: "boolean", default: false } } });
const source = values.source === undefined ? "" : resolve(values.source);
if (!existsSync(join(source, "tests", "testing_constants.py")))
  throw new Error(`name a copy of huggingface_hub's repository at v${version}: npm run hub-suite -- --source FOLDER`);

const folder = mkdtempSync(join(tmpdir(), "wb-hub-suite-"));
try {
  const results = await runSuite();
  const unexplained = results.filter(({ test, outcome }) => outcome === "failed" && !reasonOf(test));
  const failed = new Set(results.flatMap(({ test, outcome }) => (outcome === "failed" ? [test] : [])));
  const idle = reasons.flatMap(({ tests }) => tests.filter((one) => ![...failed].some((test) => test.startsWith(one))));
  for (const { test, says } of unexplained) console.error(`FAILED  ${test}: ${says}`);
  for (const one of idle) console.error(`a reason that nothing needs: ${one}`);
  const page = pageOf(results, version);
  if (values.write) writeFileSync(join(import.meta.dirname, "..", "..", "docs", "compatibility.md"), page);
  console.log(page);
  process.exitCode = unexplained.length > 0 || idle.length > 0 || results.length === 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function runSuite(): Promise<readonly Result[]> {
  using client = await HubClient.make(`[testing]==${version}`);
  await using up = await Platform.start({ sandbox: "none" });
  const suite = join(folder, "suite");
  cpSync(join(source, "tests"), join(suite, "tests"), { recursive: true });
  cpSync(join(source, "pyproject.toml"), join(suite, "pyproject.toml"));
  await nameThem(up, join(suite, "tests", "testing_constants.py"));
  const report = join(folder, "report.xml");
  const home = join(folder, "home");
  mkdirSync(home);
  const env = ["HF_TOKEN=", "HUGGING_FACE_HUB_TOKEN=", `HF_ENDPOINT=${up.url}`].join("\n");
  const options = ["-o", "addopts=", "-o", `env=${env}`, "-q", "-m", left, "-n", atOnce, `--junitxml=${report}`];
  const child = spawn(
    join(client.folder, "venv", "bin", "pytest"),
    [...options, ...files.map((name) => `tests/test_${name}.py`)],
    {
      cwd: suite,
      env: {
        ...{
          PATH: `${join(client.folder, "venv", "bin")}:${process.env["PATH"]}`,
          HOME: home,
          HF_HOME: join(home, "hf"),
        },
        ...{ HF_ENDPOINT: up.url, GIT_CONFIG_NOSYSTEM: "1" },
      },
      stdio: ["ignore", "inherit", "inherit"],
      timeout: withinMs,
    },
  );
  // pytest ends with 1 where a test failed: what failed is in its report.
  const code = await new Promise((done) => child.once("close", done));
  if (code !== 0 && code !== 1) throw new Error(`pytest ended with ${String(code)}`);
  return resultsIn(readFileSync(report, "utf8"));
}

/** The accounts that the suite asks as, and where. */
async function nameThem(up: Platform, path: string): Promise<void> {
  const [user, other, boss] = await Promise.all([
    up.account("suite-user"),
    up.account("suite-other"),
    up.account("suite-boss"),
  ]);
  await up.admin.createAccount({ name: "suite-organisation", organisation: true, admin: "suite-boss" });
  const named: Readonly<Record<string, string>> = {
    ...{
      USER: "suite-user",
      FULL_NAME: "suite-user",
      TOKEN: user.token,
      OTHER_USER: "suite-other",
      OTHER_TOKEN: other.token,
    },
    ...{
      ENTERPRISE_USER: "suite-boss",
      ENTERPRISE_ORG: "suite-organisation",
      ENTERPRISE_TOKEN: boss.token,
      ENDPOINT_STAGING: up.url,
    },
  };
  const text = readFileSync(path, "utf8").replace(/^(\w+) = .*$/gm, (line, name: string) =>
    Object.hasOwn(named, name) ? `${name} = ${JSON.stringify(named[name])}` : line,
  );
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
