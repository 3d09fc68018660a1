/** `waybill agent`: a node's side as a process of its own. It joins a server over a network, and runs what it has while the server is away. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import type { AgentOptions } from "../cli/world.ts";
import { openRepositories } from "../hub/repository.ts";
import { dial, type DialTrouble } from "../link/dial.ts";
import type { AgentEnd } from "../link/memory.ts";
import { parseTerms, type Terms } from "../link/terms.ts";
import { openSpool } from "../record/spool.ts";
import { writeStored } from "../runtime/folder.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { dataFolder, readConfig, type PlatformConfig } from "./config.ts";
import { readFolderId } from "./links.ts";
import { startNode, type Node } from "./node.ts";
import { ownEdge, type NumberedEdge } from "./own-edge.ts";
import type { PlatformLog } from "./platform.ts";
import { startFailure, type UpWorld } from "./up.ts";

/** What the server said when it was last joined: an agent that starts while no server is there goes by it. */
const termsName = "joined.json";
/** In the agent's folder, where the environment has no token. */
const tokenName = "join-token";

/** Resolves with the exit code when the agent was told to stop. Throws a `CliFailure` where it cannot start, or may not go on. */
export async function agent(options: AgentOptions, world: UpWorld): Promise<number> {
  const config = configOf(options, world.env);
  const folder = join(config.data, "node");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const token = await tokenOf(config.data, world.env);
  if (process.channel === undefined) closeInheritedFiles();
  process.umask(0o022);
  const log = pino(
    { level: options.json ? "info" : "warn", base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  const joining = new Joining({ config, log, known: await readTerms(folder) });
  using _dialling = dial({
    servers: options.join,
    token: () => token,
    random: systemRandom,
    now: () => systemClock.monotonic(),
    onLink: (link, terms) => void joining.take(link, terms),
    onTrouble: (trouble) => joining.trouble(trouble),
  });
  const stopped = aborted(world.signal);
  const terms = await Promise.race([joining.first, stopped]);
  if (terms === undefined) return exit.done;
  await using node = await start({ config, log, version: world.version, joining, terms }).catch((error: unknown) => {
    throw startFailure(error, config);
  });
  joining.started(node);
  tell(options, { node: terms.node, sandbox: config.sandbox });
  await Promise.race([joining.failed, stopped]);
  return exit.done;
}

function configOf(options: AgentOptions, env: UpWorld["env"]): PlatformConfig {
  const data = options.data ?? `${dataFolder(env, undefined)}-agent`;
  const read = readConfig(env, {
    ...options,
    data,
    role: "all",
    port: undefined,
    host: undefined,
    journal: undefined,
    standBy: false,
    service: true,
  });
  if (read.ok) return read.config;
  throw new CliFailure(exit.usage, {
    code: "config-invalid",
    says: read.problems.join("; "),
    next: "Correct all of it and start again.",
  });
}

async function tokenOf(data: string, env: UpWorld["env"]): Promise<string> {
  const given = env["WAYBILL_JOIN_TOKEN"];
  if (given) return given;
  const file = join(data, tokenName);
  const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (kept.trim() !== "") return kept.trim();
  throw new CliFailure(exit.signIn, {
    code: "identity/missing",
    says: "an agent joins by its node's token, and none was given.",
    next: `Make one with \`waybill node token NAME\` where the server is signed in to; give it as WAYBILL_JOIN_TOKEN, or in ${file}.`,
  });
}

async function readTerms(folder: string): Promise<Terms | undefined> {
  try {
    return parseTerms(JSON.parse(await readFile(join(folder, termsName), "utf8")));
  } catch (error) {
    // Never joined, or cut off as it was written: the server says it again.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What the dialler brings: connections for the node, and the terms by which it runs. */
class Joining {
  readonly #config: PlatformConfig;
  readonly #log: PlatformLog;
  readonly #first = Promise.withResolvers<Terms>();
  readonly #failed = Promise.withResolvers<never>();
  #terms: Terms | undefined;
  #node: Node | undefined;
  #link: AgentEnd | undefined;
  #links = 0;
  /** By server, its last trouble. */
  readonly #said = new Map<string, string>();

  constructor({ config, log, known }: { config: PlatformConfig; log: PlatformLog; known: Terms | undefined }) {
    this.#config = config;
    this.#log = log;
    this.#terms = known;
    if (known) this.#first.resolve(known);
    // Whoever waits for either hears of it.
    this.#failed.promise.catch((error: unknown) => this.#first.reject(error));
    this.#first.promise.catch(() => undefined);
  }

  /** Resolves with the terms of the first server that was joined, now or at an earlier start. */
  get first(): Promise<Terms> {
    return this.#first.promise;
  }

  /** Rejects when the agent may not go on. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** The platform as this node's apps see it, as the last server that was joined said. */
  get edge(): NumberedEdge {
    const current = (): NumberedEdge => {
      const { appsDomain, port, insidePath } = this.#terms as Terms;
      return ownEdge({ appsDomain }, port, insidePath ?? "");
    };
    return {
      isOurs: (name) => current().isOurs(name),
      servesPort: (port) => current().servesPort(port),
      get path() {
        return current().path;
      },
      get port() {
        return current().port;
      },
    };
  }

  async take(link: AgentEnd, terms: Terms): Promise<void> {
    const turn = ++this.#links;
    try {
      await this.#check(terms);
      writeStored(join(this.#config.data, "node"), termsName, terms);
    } catch (error) {
      link.close();
      return this.#failed.reject(error);
    }
    if (turn !== this.#links) return; // a newer one came meanwhile
    this.#log.info({ node: terms.node }, "joined");
    this.#said.clear();
    this.#terms = terms;
    this.#link = link;
    this.#node?.connect(link);
    this.#first.resolve(terms);
  }

  started(node: Node): void {
    this.#node = node;
    if (this.#link) node.connect(this.#link);
  }

  /** The same trouble is told once. An agent that never joined does not run by a token that is refused. */
  trouble({ server, status, says }: DialTrouble): void {
    if (this.#said.get(server) !== says) this.#log.warn({ server, status }, `not joined: ${says}`);
    this.#said.set(server, says);
    if (status !== 401 || this.#terms !== undefined) return;
    this.#failed.reject(
      new CliFailure(exit.signIn, {
        code: "identity/bad-token",
        says: `${server} does not know this node's token.`,
        next: "Make another with `waybill node token NAME`.",
      }),
    );
  }

  async #check({ node, plainProcesses, folder, folderId }: Terms): Promise<void> {
    const known = this.#terms?.node ?? node;
    const refused = (says: string, next: string): CliFailure =>
      new CliFailure(exit.failed, { code: "agent-misplaced", says, next });
    if (known !== node)
      throw refused(
        `this folder is of node ${known}, and the token of node ${node}.`,
        "Give the other node a folder of its own with --data.",
      );
    if (plainProcesses !== (this.#config.sandbox === "none"))
      throw refused(
        `the server ${plainProcesses ? "has agents run apps as plain processes" : "wants its agents' apps in sandboxes"}, and this agent does not.`,
        "Start both with --sandbox none, or neither.",
      );
    if ((await readFolderId(folder)) !== folderId)
      throw refused(
        `the server's data folder ${folder} is not there for this agent: it takes commits from it and answers the server's edge on this machine.`,
        "In this version an agent runs on its server's machine, as the same user. On another machine run a `waybill up` of its own.",
      );
  }
}

async function start({
  config,
  log,
  version,
  joining,
  terms,
}: {
  config: PlatformConfig;
  log: PlatformLog;
  version: string;
  joining: Joining;
  terms: Terms;
}): Promise<Node> {
  const world = { clock: systemClock, random: systemRandom, log };
  const onFailure = (what: string, error: unknown): void =>
    log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, what);
  return startNode({
    config,
    world,
    version,
    node: terms.node,
    link: undefined,
    source: openRepositories({ folder: join(terms.folder, "repositories"), ...world }),
    edge: joining.edge,
    spool: (name, folder) =>
      openSpool({ folder, name, ...world, onFailure: (error) => onFailure(`the spool of ${name}`, error) }),
    onFailure,
  });
}

function tell({ json, join: servers }: AgentOptions, { node, sandbox }: { node: string; sandbox: string }): void {
  if (json) process.stdout.write(`${JSON.stringify({ ready: true, node })}\n`);
  else process.stderr.write(`Node ${node} runs for ${servers.join(", ")}      sandbox ${sandbox}\n`);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
