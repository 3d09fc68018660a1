/** The real `huggingface_hub`, from PyPI, in a Python environment of its own outside of the platform's folders. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chooseInterpreter, findInterpreters } from "../../src/build/python/interpreters.ts";

const run = promisify(execFile);
/** Some ten packages over a slow line. */
const installWithinMs = 600_000;
const answerWithinMs = 180_000;

/** Those that are tested: as {@link HubClient.make} takes them, and as a word in names. */
export const hubVersions = [
  { version: "", word: "new", title: "the newest" },
  { version: "==1.18.*", word: "1-18", title: "==1.18.*" },
  { version: "==0.36.*", word: "0-36", title: "==0.36.*" },
] as const;

/** A run of its command line: what it has printed so far, both streams together, and its exit code. */
export interface HfRun {
  readonly said: { text: string };
  readonly code: Promise<number | null>;
}

export class HubClient implements Disposable {
  readonly folder: string;
  readonly #python: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#python = join(folder, "venv", "bin", "python");
  }

  /** `version`: as pip writes it, `==1.18.*`; the newest where it is not said. `beside`: packages that use it, as pip writes them. */
  static async make(version = "", beside: readonly string[] = []): Promise<HubClient> {
    const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/bin", "/usr/local/bin"];
    const pyenv = join(process.env["HOME"] ?? "/", ".pyenv", "versions");
    const choice = chooseInterpreter(await findInterpreters(folders, [pyenv]), null);
    if (!choice.ok) throw new Error(choice.says);
    const client = new HubClient(mkdtempSync(join(tmpdir(), "wb-hub-")));
    try {
      const limit = { timeout: installWithinMs };
      await run(choice.interpreter.path, ["-m", "venv", join(client.folder, "venv")], limit);
      await run(client.#python, ["-m", "pip", "install", "--quiet", `huggingface_hub${version}`, ...beside], limit);
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
    return client;
  }

  /** Runs a program with `api = HfApi()` of this server and token; what it prints as JSON. `home`: of its own, with no caches. */
  async ask(
    server: {
      readonly url: string;
      readonly token: string;
      readonly home?: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly withinMs?: number;
    },
    program: string,
  ): Promise<unknown> {
    const whole = ["import json", "from huggingface_hub import HfApi", "api = HfApi()", program].join("\n");
    const env = {
      PATH: process.env["PATH"] ?? "",
      HF_ENDPOINT: server.url,
      HF_TOKEN: server.token,
      HF_HOME: join(this.folder, server.home ?? "home"),
      ...server.env,
    };
    const { stdout } = await run(this.#python, ["-c", whole], { env, timeout: server.withinMs ?? answerWithinMs });
    return JSON.parse(stdout);
  }

  /** Its command line, `hf`, with a home of its own, where git's settings are too. */
  hf(url: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): HfRun {
    const home = this.home;
    mkdirSync(home, { recursive: true });
    const child = spawn(join(this.folder, "venv", "bin", "hf"), args, {
      env: {
        ...{ PATH: process.env["PATH"] ?? "", HOME: home, HF_HOME: join(home, "hf"), HF_ENDPOINT: url },
        ...{ GIT_CONFIG_NOSYSTEM: "1", NO_COLOR: "1", ...env },
      },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: answerWithinMs,
    });
    const said = { text: "" };
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (said.text += bytes));
    return { said, code: new Promise((done) => child.once("close", done)) };
  }

  get home(): string {
    return join(this.folder, "user");
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
