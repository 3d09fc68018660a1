/** The real `huggingface_hub`, from PyPI, in a Python environment of its own outside of the platform's folders. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chooseInterpreter, findInterpreters } from "../../src/build/python/interpreters.ts";

const run = promisify(execFile);
/** Some ten packages over a slow line. */
const installWithinMs = 600_000;
const answerWithinMs = 180_000;

export class HubClient implements Disposable {
  readonly folder: string;
  readonly #python: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#python = join(folder, "venv", "bin", "python");
  }

  static async make(): Promise<HubClient> {
    const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/bin", "/usr/local/bin"];
    const pyenv = join(process.env["HOME"] ?? "/", ".pyenv", "versions");
    const choice = chooseInterpreter(await findInterpreters(folders, [pyenv]), null);
    if (!choice.ok) throw new Error(choice.says);
    const client = new HubClient(mkdtempSync(join(tmpdir(), "wb-hub-")));
    try {
      const limit = { timeout: installWithinMs };
      await run(choice.interpreter.path, ["-m", "venv", join(client.folder, "venv")], limit);
      await run(client.#python, ["-m", "pip", "install", "--quiet", "huggingface_hub"], limit);
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
    return client;
  }

  /** Runs a program with `api = HfApi()` of this server and token; what it prints as JSON. */
  async ask(server: { readonly url: string; readonly token: string }, program: string): Promise<unknown> {
    const whole = ["import json", "from huggingface_hub import HfApi", "api = HfApi()", program].join("\n");
    const env = {
      PATH: process.env["PATH"] ?? "",
      HF_ENDPOINT: server.url,
      HF_TOKEN: server.token,
      HF_HOME: join(this.folder, "home"),
    };
    const { stdout } = await run(this.#python, ["-c", whole], { env, timeout: answerWithinMs });
    return JSON.parse(stdout);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
