/** Plugs the platform's parts into the desk of an edge in processes of its own. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Tokens } from "../catalog/tokens.ts";
import type { Replicas } from "../control/replicas.ts";
import type { Spaces } from "../control/spaces.ts";
import { edgeSockets } from "../contract/edge.ts";
import type { EdgeKey, EdgeTerms } from "../contract/edge.ts";
import type { EdgeOptions, TlsOptions } from "../edge/index.ts";
import type { Sessions } from "../identity/sessions.ts";
import type { VisitorKey } from "../identity/visitor-token.ts";
import type { CountedRow } from "../record/evidence-database.ts";
import type { EvidenceStore } from "../record/store.ts";
import type { Clock } from "../stdx/time.ts";
import type { PlatformConfig } from "./config.ts";
import { openConsoleDoor } from "./console-door.ts";
import { openEdgeDesk } from "./edge-desk.ts";
import type { EdgeDesk } from "./edge-desk.ts";
import { consoleHosts } from "./own-edge.ts";

export interface EdgeApartParts {
  readonly config: PlatformConfig;
  readonly clock: Clock;
  readonly spaces: Spaces;
  readonly replicas: Replicas;
  readonly tiers: ReadonlyMap<string, string>;
  readonly members: Iterable<readonly [string, readonly string[]]>;
  readonly sessions: Pick<Sessions, "lookUp">;
  readonly visitKey: Uint8Array;
  readonly tls: TlsOptions | undefined;
  readonly insidePath: string | null;
  /** The one to mint with first. */
  readonly keys: () => readonly VisitorKey[];
  readonly tokens: Tokens;
  readonly evidence: EvidenceStore;
  /** All that emitters have written reaches the store. */
  readonly shipping: () => Promise<void>;
  readonly line: (replica: string) => number | undefined;
  /** The console's address. */
  readonly console: string;
  readonly serveConsole: EdgeOptions["console"];
  readonly onVisitorGone: (request: string) => Promise<void>;
  readonly onFailure: (what: string, error: unknown) => void;
}

/** How often it is asked whether the nodes have said what runs there. */
const toldEveryMs = 50;

export async function openEdgeApart(stack: AsyncDisposableStack, parts: EdgeApartParts): Promise<EdgeDesk> {
  const { config, clock, spaces, replicas, tiers, members, keys, tokens, evidence, onFailure } = parts;
  const stopping = new AbortController();
  const desk = stack.use(
    await openEdgeDesk({
      path: join(config.data, edgeSockets.control),
      terms: {
        address: config.listen.address,
        port: config.listen.port,
        consoleHosts: consoleHosts(config.network),
        appsDomain: config.network.appsDomain,
        visitKey: Buffer.from(parts.visitKey).toString("base64url"),
        console: parts.console,
        isProxiesAlone: config.network.isProxiesAlone,
        insidePath: parts.insidePath,
        plainProcesses: config.sandbox === "none",
        tls: parts.tls === undefined ? null : tlsTerms(parts.tls),
      },
      pairs: parts.tls?.pairs,
      keys: () => keysOf(keys()),
      ready: told(spaces, stopping.signal),
      spaces,
      spaceOf: (replica) => replicas.get(replica)?.status.space,
      replicasOf: (space) => replicas.of(space).map(({ status }) => status.replica),
      line: parts.line,
      tiers,
      members,
      tokens: {
        find: (hash) => tokens.find(hash),
        touch: (id) => tokens.touch(id, clock.wall()),
      },
      session: (id) => parts.sessions.lookUp(id),
      now: () => clock.monotonic(),
      onCounted: (rows) => evidence.takeCounted(rows as readonly CountedRow[]),
      onVisitorGone: parts.onVisitorGone,
      onWorker: async (name, epoch) => {
        await parts.shipping();
        await evidence.ingest({ emitter: name, epoch, records: [] });
      },
      onFailure,
    }),
  );
  stack.defer(() => stopping.abort());
  tokens.onChanged = (id) => desk.tokenChanged(id);
  const door = join(config.data, edgeSockets.console);
  stack.use(await openConsoleDoor(door, parts.serveConsole, (error) => onFailure("the console's socket", error)));
  return desk;
}

function tlsTerms({ plainPort, publicPort }: TlsOptions): EdgeTerms["tls"] {
  return { plainPort: plainPort ?? null, publicPort: publicPort ?? null };
}

async function told(spaces: Spaces, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted && !(await spaces.areTold())) await delay(toldEveryMs);
}

function keysOf(keys: readonly VisitorKey[]): readonly EdgeKey[] {
  return keys.map(({ kid, key }) => ({ kid, key: Buffer.from(key).toString("base64url") }));
}
