/** The Hub's own Python client as the benchmark asks it: each call a process of its own that remembers nothing, timed inside of it. */
import { randomBytes } from "node:crypto";
import { HubClient } from "../test/support/hub-client.ts";

/** By which way large files go. */
export type Way = "hf_xet" | "plain HTTP";
export const ways: readonly Way[] = ["hf_xet", "plain HTTP"];
/** In names of repositories. */
export const wordOf: Readonly<Record<Way, string>> = { hf_xet: "xet", "plain HTTP": "http" };

/** Without the start of Python and what it imports. */
export interface ClientTimes {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface ClientServer {
  readonly url: string;
  readonly token: string;
}

/** Of the slowest call, on a machine that is five times as busy as one of its own. */
const withinMs = 300_000;

const program = `
import os, time
from huggingface_hub import CommitOperationAdd
from huggingface_hub.utils import disable_progress_bars
disable_progress_bars()
def timed(work):
    before, since = os.times(), time.monotonic()
    work()
    took, after = time.monotonic() - since, os.times()
    print(json.dumps({"seconds": took, "cpuSeconds": sum(after[:4]) - sum(before[:4])}))
`;

export class BenchClient implements Disposable {
  readonly versions: string;
  readonly #hub: HubClient;

  private constructor(hub: HubClient, versions: string) {
    this.#hub = hub;
    this.versions = versions;
  }

  static async make(): Promise<BenchClient> {
    const hub = await HubClient.make();
    const nowhere = { url: "http://127.0.0.1:9", token: "" };
    const asked = `from importlib.metadata import version\nprint(json.dumps([version("huggingface_hub"), version("hf_xet")]))`;
    const [own, xet] = (await hub.ask(nowhere, asked)) as readonly string[];
    return new BenchClient(hub, `huggingface_hub ${own}, hf_xet ${xet}`);
  }

  get folder(): string {
    return this.#hub.folder;
  }

  /** `call`: an expression of Python with `api` and `os`. `env`: beside what the way needs. */
  async time(
    server: ClientServer,
    way: Way,
    call: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<ClientTimes> {
    const home = `home-${randomBytes(6).toString("hex")}`;
    const wayEnv = way === "plain HTTP" ? { HF_HUB_DISABLE_XET: "1" } : {};
    const asked = { ...server, home, withinMs, env: { ...wayEnv, ...env } };
    return (await this.#hub.ask(asked, `${program}\ntimed(lambda: ${call})`)) as ClientTimes;
  }

  [Symbol.dispose](): void {
    this.#hub[Symbol.dispose]();
  }
}

/** A text of Python. */
export const quoted = (text: string): string => JSON.stringify(text);
