/** `waybill agent`: a node's side as a process of its own. It joins a server over a network, and runs what it has while the server is away. */
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { exit } from "../cli/exit.ts";
import { requireWritable } from "../cli/folder.ts";
import { CliFailure } from "../cli/failures.ts";
import type { AgentOptions } from "../cli/world.ts";
import { openRepositories } from "../hub/repository.ts";
import type { Source } from "../build/workshop.ts";
import { openRemoteSource } from "../hub/remote-source.ts";
import { apartAgent } from "../link/apart.ts";
import { dial, type DialOptions, type DialTrouble } from "../link/dial.ts";
import type { AgentEnd } from "../link/memory.ts";
import { folderDigest, parseTerms, type Terms } from "../link/terms.ts";
import { openSpool } from "../record/spool.ts";
import { writeStored } from "../runtime/folder.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { dataFolder, type PlatformConfig } from "./config.ts";
import { carryFor, ReplicaSockets } from "./far-server.ts";
import { readFolderId } from "./links.ts";
import { startNode, type Node } from "./node.ts";
import { insideSocket, ownEdge, type NumberedEdge } from "./own-edge.ts";
import type { PlatformLog } from "./platform.ts";
import { aborted, configFrom, prepareProcess, startFailure, type UpWorld } from "./starting.ts";

/** What the server said when it was last joined: an agent that starts while no server is there goes by it. */
const termsName = "joined.json";
/** In the agent's folder, where the environment has no token. */
const tokenName = "join-token";

/** Resolves with the exit code when the agent was told to stop. Throws a `CliFailure` where it cannot start, or may not go on. */
export async function agent(options: AgentOptions, world: UpWorld): Promise<number> {
  const config = configOf(options, world.env);
  const folder = join(config.data, "node");
  const log = prepareProcess(options);
  const foreseen = (error: unknown): never => {
    throw startFailure(error, config);
  };
  requireWritable(config.data, new Set(["node"]));
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(foreseen);
  const token = await tokenOf(config.data, world.env);
  const dialled = {
    servers: options.join,
    token: () => token,
    version: world.version,
    random: systemRandom,
    now: () => systemClock.monotonic(),
  };
  const authorities = world.env["NODE_EXTRA_CA_CERTS"];
  using joining = await Joining.open({
    config,
    log,
    known: await readTerms(folder).catch(foreseen),
    dialled,
    // Of this folder, whatever git runs in.
    authorities: authorities && resolve(authorities),
  });
  using _dialling = dial({
    ...dialled,
    onLink: (link, terms) => void joining.take(link, terms),
    onTrouble: (trouble) => joining.trouble(trouble),
    onFailure: (what, error) => log.error({ error: String(error) }, what),
  });
  const stopped = aborted(world.signal);
  const terms = await Promise.race([joining.first, stopped]);
  if (terms === undefined) return exit.done;
  await using node = await start({ config, log, version: world.version, joining, terms }).catch(foreseen);
  await joining.started(node).catch(foreseen);
  tell(options, { node: terms.node, sandbox: config.sandbox });
  await Promise.race([joining.failed, stopped]);
  return exit.done;
}

function configOf(options: AgentOptions, env: UpWorld["env"]): PlatformConfig {
  const data = options.data ?? `${dataFolder(env, undefined)}-agent`;
  return configFrom(env, {
    ...options,
    data,
    role: "all",
    port: undefined,
    network: {},
    journal: undefined,
    standBy: false,
    service: true,
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

type Dialled = Pick<DialOptions, "servers" | "token" | "version" | "random" | "now">;

interface JoiningParts {
  readonly config: PlatformConfig;
  readonly log: PlatformLog;
  readonly known: Terms | undefined;
  readonly dialled: Dialled;
  /** A file with authorities beside the machine's own. */
  readonly authorities: string | undefined;
}

/** What the dialler brings: connections for the node, and the terms by which it runs. */
class Joining implements Disposable {
  readonly #config: PlatformConfig;
  readonly #log: PlatformLog;
  readonly #dialled: Dialled;
  readonly #authorities: string | undefined;
  readonly #sockets = new ReplicaSockets();
  readonly #inside: ReturnType<typeof insideSocket>;
  readonly #first = Promise.withResolvers<Terms>();
  readonly #failed = Promise.withResolvers<never>();
  #terms: Terms | undefined;
  #node: Node | undefined;
  #link: AgentEnd | undefined;
  #links = 0;
  /** By server, its last trouble. */
  readonly #said = new Map<string, string>();
  /** What stands in the server's folder; undefined where that is on another machine. */
  #folderId: string | undefined;
  #source: Source | undefined;
  /** What carries connections to and from another machine. */
  #carrying: Disposable | undefined;
  /** Settles when commits can be fetched from there. */
  #fetching: Promise<void> | undefined;

  static async open(parts: JoiningParts): Promise<Joining> {
    const joining = new Joining(parts);
    if (parts.known) await joining.#settle(parts.known);
    return joining;
  }

  private constructor({ config, log, known, dialled, authorities }: JoiningParts) {
    this.#authorities = authorities;
    this.#config = config;
    this.#log = log;
    this.#dialled = dialled;
    this.#inside = insideSocket(config.data);
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
      return ownEdge({ appsDomain }, port, this.#folderId === undefined ? this.#inside.path : (insidePath ?? ""));
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

  /** Where the server that was joined last keeps its commits. */
  get source(): Source {
    return { checkout: (...asked) => (this.#source as Source).checkout(...asked) };
  }

  async take(joined: AgentEnd, terms: Terms): Promise<void> {
    const turn = ++this.#links;
    try {
      await this.#check(terms);
      await this.#settle(terms);
      if (this.#node) await this.#carry();
      writeStored(join(this.#config.data, "node"), termsName, terms);
    } catch (error) {
      joined.close();
      return this.#failed.reject(startFailure(error, this.#config));
    }
    if (turn !== this.#links) return; // a newer one came meanwhile
    const link = apartAgent(joined, { folder: this.#folderId, onStatus: (status) => this.#sockets.take(status) });
    this.#log.info({ node: terms.node, sharesFolder: this.#folderId !== undefined }, "joined");
    this.#said.clear();
    this.#terms = terms;
    this.#link = link;
    this.#node?.connect(link);
    this.#first.resolve(terms);
  }

  /** The node runs, and with it the folder is ours alone. Rejects where the disk does not let it go on. */
  async started(node: Node): Promise<void> {
    await this.#carry();
    this.#node = node;
    if (this.#link) node.connect(this.#link);
  }

  /** The same trouble is told once. An agent that never joined does not run where its token or its version is refused. */
  trouble({ server, status, says }: DialTrouble): void {
    if (this.#said.get(server) !== says) this.#log.warn({ server, status }, `not joined: ${says}`);
    this.#said.set(server, says);
    if (this.#terms !== undefined) return;
    if (status === 409)
      this.#failed.reject(
        new CliFailure(exit.failed, {
          code: "control/other-version",
          says: `${server} refused this agent: ${says}`,
          next: "Install the server's version on this machine, and start the agent again.",
        }),
      );
    if (status !== 401) return;
    this.#failed.reject(
      new CliFailure(exit.signIn, {
        code: "identity/bad-token",
        says: `${server} does not know this node's token.`,
        next: "Make another with `waybill node token NAME`.",
      }),
    );
  }

  async #check({ node, plainProcesses, folder, folderDigest: digest }: Terms): Promise<void> {
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
    if (plainProcesses && !(await isIn(folder, digest)))
      throw refused(
        `the server's data folder ${folder} is not there for this agent, and plain processes reach the platform only on its own machine.`,
        "Start both without --sandbox none, or run this agent on the server's machine, as the same user.",
      );
  }

  /** On the server's disk its paths are used; elsewhere commits and connections come over the network. */
  async #settle({ folder, folderDigest: digest }: Terms): Promise<void> {
    this.#folderId = (await isIn(folder, digest)) ? await readFolderId(folder) : undefined;
    if (this.#folderId === undefined) return;
    this.#carrying?.[Symbol.dispose]();
    this.#carrying = undefined;
    this.#fetching = undefined;
    this.#source = openRepositories({
      folder: join(folder, "repositories"),
      ...{ clock: systemClock, random: systemRandom },
    });
  }

  /** Carries commits and connections, where they have to be. */
  async #carry(): Promise<void> {
    if (this.#folderId !== undefined) return;
    this.#carrying ??= carryFor(this.#sockets, {
      ...this.#dialled,
      insidePath: this.#inside.path,
      onFailure: (what, error) => this.#log.error({ error: String(error) }, what),
    });
    await (this.#fetching ??= this.#openSource());
  }

  async #openSource(): Promise<void> {
    const { data, disk } = this.#config;
    this.#source = await openRemoteSource({
      ...{ ...this.#dialled, clock: systemClock },
      ...(this.#authorities !== undefined && { authorities: this.#authorities }),
      ...{ folder: join(data, "node", "fetches"), reserveBytes: disk.reserveBytes },
    });
  }

  [Symbol.dispose](): void {
    this.#carrying?.[Symbol.dispose]();
    if (this.#carrying) this.#inside.remove();
  }
}

async function isIn(folder: string, digest: string): Promise<boolean> {
  const id = await readFolderId(folder);
  return id !== undefined && folderDigest(id) === digest;
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
    source: joining.source,
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
