/**
 * The shape of each message between server and agent, checked where it comes from a network, and nowhere else: within one process the
 * compiler has seen to it. What the ledger or the builds decide on by themselves (an amount, a declared time) is only a number here.
 * Fields that are not known are left out, so that whoever reads a message has nothing but what is written here.
 */
import { z } from "zod";
import type { ToAgent, ToServer } from "../contract/agent.ts";
import { appScopes } from "../contract/oauth.ts";
import type { AppScope } from "../contract/oauth.ts";
import type { DurationMs } from "../stdx/time.ts";

/** A message that is none: whoever said it is of another version, or no agent or server of ours. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
  readonly code = "malformed-message";
}

/** Things in one list: more replicas, releases or records than one message is ever sent with. */
const listMax = 20_000;
/** Ids, names, codes and times. */
const wordMax = 300;

/** Frames bound it. */
const text = z.string();
const word = z.string().max(wordMax);
const count = z.int().nonnegative();
const number = z.number();
const ms = z.number() as unknown as z.ZodType<DurationMs>;
const flag = z.boolean();
const list = <Item extends z.ZodType>(item: Item) => z.array(item).max(listMax);
const texts = z.record(z.string(), text);

const sdk = z.enum(["gradio", "streamlit", "docker", "node", "static"]);
const stream = z.enum(["out", "err", "note"]);
const source = z.enum(["app", "build", "gpu", "edge", "egress", "runtime"]);
const phase = z.enum(["starting", "ready", "exited", "lost", "stopped"]);

const device = z.object({
  index: count,
  uuid: word,
  name: word,
  slots: count,
  simulated: flag,
  computeCapability: word.exactOptional(),
  driver: word.exactOptional(),
  memoryMiB: number.exactOptional(),
  ecc: flag.exactOptional(),
  instanceOf: word.exactOptional(),
});

const spaceOnDisk = z.object({ space: word, madeAt: number.nullable() });
const setup = z.object({ gpu: flag, environment: number });
const memory = z.object({ bytes: number, by: z.enum(["group", "looking"]) });
const processes = z.object({ most: number, by: z.enum(["group", "rlimit"]) });
const diskLimit = z.object({ bytes: number, by: z.enum(["file-system", "looking"]) });
const limits = {
  memory,
  processes,
  processors: number.nullable(),
  openFiles: number,
  tmpBytes: number,
  homeBytes: number,
};

const build = { wholeMs: number, writtenBytes: number };
const sandboxedBuild = z.object({ ...limits, ...build });

const status = z.object({
  replica: word,
  space: word,
  release: word,
  phase,
  socket: text.nullable(),
  startedAt: number,
  came: z.enum(["started", "listening"]).exactOptional(),
  limits: z.object({ ...limits, data: diskLimit.exactOptional(), disk: diskLimit.exactOptional() }).exactOptional(),
  frozen: z.literal(true).exactOptional(),
  previous: word.exactOptional(),
  functions: z.record(word, word).exactOptional(),
  setup: setup.exactOptional(),
  end: z.object({ code: word, exitCode: number.nullable(), signal: word.nullable(), says: text }).exactOptional(),
});

const probes = z.union([
  z.object({
    total: count,
    open: count,
    expected: count,
    unexpected: list(text),
    notRun: list(text),
    at: word,
  }),
  z.object({ failed: text, at: word }),
]);

const isolation = z.object({
  level: z.enum(["own-uid", "shared-uid", "none"]),
  driver: z.enum(["bubblewrap", "crun", "none"]),
  hostUid: z.enum(["own", "shared"]),
  seccomp: word.nullable(),
  memory: z.enum(["cgroup1", "cgroup2", "polled", "none"]),
  processes: z.enum(["cgroup1", "cgroup2", "rlimit", "none"]),
  cpu: z.enum(["cgroup1", "cgroup2", "none"]),
  ends: z.enum(["cgroup-kill", "tree"]),
  disk: z.enum(["loop", "polled", "none"]),
  egress: z.enum(["gateway+catchall", "gateway", "none"]),
  probes: probes.nullable(),
  builds: sandboxedBuild.exactOptional(),
  says: text,
});

const rules = z.object({ allow: list(text), deny: list(text), ports: list(count), addresses: list(text) });
const outbound = z.object({ apps: rules, builds: rules });

const cudaPackage = z.object({ name: text, version: text, cuda: text.nullable(), archs: list(text) });
const runtime = z.object({
  python: text,
  gradio: text.nullable(),
  spaces: text.nullable(),
  torch: z.object({ version: text, cuda: text.nullable(), archs: list(text) }).nullable(),
  packages: list(cudaPackage).exactOptional(),
  warnings: list(text).exactOptional(),
});

const signIn = z.object({
  scopes: list(z.enum(Object.keys(appScopes) as [AppScope, ...AppScope[]])),
  expiresInMinutes: count,
  organisations: list(word),
  redirectPath: text,
});

const outcome = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    release: word,
    sdk,
    runtime: runtime.exactOptional(),
    // Of a manifest: there, and nothing.
    headers: texts.or(z.undefined()).optional(),
    signIn: signIn.or(z.undefined()).optional(),
    settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
  z.object({ ok: z.literal(false), code: word, step: word.nullable(), says: text, because: list(text) }),
]);

const logLine = z.object({
  n: number,
  at: word,
  source,
  stream,
  step: word.exactOptional(),
  replica: word.exactOptional(),
  text,
});
const builtLine = z.object({ at: word, stream, step: word.exactOptional(), text });
const find = z.object({ grep: text.exactOptional(), source: source.exactOptional(), since: word.exactOptional() });

const report = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("attached"), seq: count, call: word, fence: count, pid: number, at: word }),
  z.object({
    kind: z.literal("ended"),
    seq: count,
    call: word,
    fence: count,
    cause: word,
    usedMs: number,
    workerAlive: flag,
    unused: flag,
    at: word,
    says: text,
  }),
  z.object({ kind: z.literal("worker-gone"), seq: count, slot: word, fence: count, at: word }),
]);

const record = z.object({ kind: z.enum(["entry", "packed", "watermark", "closing"]), body: z.unknown() });
const held = z.object({ build: word, fence: count });

const stranger = z.object({ pid: number, cards: list(word), program: text, memoryMiB: number.nullable() });
const cardUse = z.object({ strangers: list(stranger), unseen: text.nullable() });

const toServer = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    node: word,
    epoch: count,
    pool: word,
    devices: list(device),
    replicas: list(status),
    sdks: list(word),
    buildsAtOnce: count,
    isolation,
    outbound: outbound.optional(),
    folder: text.exactOptional(),
  }),
  z.object({ type: z.literal("isolation"), node: word, isolation }),
  z.object({
    type: z.literal("cards"),
    node: word,
    trouble: z.record(z.string(), z.object({ code: word, says: text })),
    use: cardUse.exactOptional(),
  }),
  z.object({ type: z.literal("heartbeat"), node: word, tookGrants: count, builds: list(held) }),
  z.object({ type: z.literal("replica"), status }),
  z.object({
    type: z.literal("schedule"),
    request: z.object({
      call: word,
      replica: word,
      space: word,
      release: word,
      task: text,
      declaredMs: number,
      size: z.enum(["large", "xlarge"]),
      token: text.nullable(),
    }),
  }),
  z.object({ type: z.literal("left"), call: word, replica: word }),
  z.object({ type: z.literal("meter"), replica: word, report }),
  z.object({ type: z.literal("cleared"), replica: word, slot: word, fence: count }),
  z.object({ type: z.literal("build-claimed"), build: word, fence: count, number: count, builder: word }),
  z.object({ type: z.literal("build-log"), build: word, fence: count, lines: list(builtLine) }),
  z.object({
    type: z.literal("build-limits"),
    build: word,
    fence: count,
    limits: z.union([sandboxedBuild, z.object({ ...build, memory: z.undefined().exactOptional() })]),
  }),
  z.object({
    type: z.literal("build-step"),
    build: word,
    fence: count,
    step: word,
    state: z.enum(["started", "done", "failed"]),
    tookMs: number,
  }),
  z.object({ type: z.literal("build-done"), build: word, fence: count, outcome }),
  z.object({
    type: z.literal("releases"),
    node: word,
    releases: list(z.object({ release: word, build: word.nullable() })),
  }),
  z.object({ type: z.literal("spaces"), node: word, spaces: list(spaceOnDisk) }),
  z.object({
    type: z.literal("evidence"),
    batch: z.object({ emitter: word, epoch: count, records: list(record) }),
  }),
  z.object({
    type: z.literal("log"),
    read: word,
    lines: list(logLine),
    next: number,
    more: flag.exactOptional(),
    complete: flag,
    unknown: flag.exactOptional(),
  }),
]);

const spec = z.object({
  replica: word,
  space: word,
  release: word,
  sdk,
  env: texts,
  secrets: texts.exactOptional(),
  says: text.exactOptional(),
  readyWithinMs: ms,
  madeAt: number.exactOptional(),
  gpu: z.literal(false).exactOptional(),
  setup: setup.exactOptional(),
  health: z.object({ path: text.nullable(), everyMs: ms }).exactOptional(),
});

const buildSpec = z.object({
  build: word,
  space: word,
  commit: word,
  repository: text,
  limitMs: ms,
  variables: texts.exactOptional(),
  secrets: texts.exactOptional(),
  factory: flag.exactOptional(),
  cards: list(device.pick({ name: true, simulated: true, computeCapability: true, driver: true })).exactOptional(),
});

const toAgent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome"), server: word, epoch: count }),
  z.object({ type: z.literal("start-replica"), spec }),
  z.object({ type: z.literal("reach"), space: word, reach: text }),
  z.object({ type: z.literal("stop-replica"), replica: word, graceMs: ms, why: text }),
  z.object({ type: z.literal("freeze-replica"), replica: word, frozen: flag }),
  z.object({ type: z.literal("build"), number: count, fence: count, spec: buildSpec }),
  z.object({ type: z.literal("cancel-build"), build: word, fence: count, code: word, why: text }),
  z.object({
    type: z.literal("queued"),
    call: word,
    replica: word,
    position: number,
    of: number,
    estimateMs: number.nullable(),
    says: text,
  }),
  z.object({
    type: z.literal("grant"),
    number: count,
    call: word,
    replica: word,
    slots: list(word),
    fence: count,
    warm: flag,
    device: z.object({ index: number, uuid: word }),
    leaseMs: number,
    attachWithinMs: number,
  }),
  z.object({
    type: z.literal("refuse"),
    call: word,
    replica: word,
    code: word,
    says: text,
    kind: z.enum(["quota", "duration", "capacity", "queue", "token", "conflict"]),
    leftMs: number,
    askedMs: number,
    waitMs: number,
  }),
  z.object({
    type: z.literal("withdraw"),
    call: word,
    replica: word,
    fence: count,
    cause: z.enum(["grant-unused", "operator-stop", "visitor-stop"]),
  }),
  z.object({ type: z.literal("check-cards") }),
  z.object({ type: z.literal("clear"), replica: word, slot: word, fence: count }),
  z.object({ type: z.literal("ack-meter"), replica: word, seq: count }),
  z.object({ type: z.literal("ack-evidence"), emitter: word, epoch: count, seq: count }),
  z.object({ type: z.literal("remove-releases"), releases: list(word) }),
  z.object({ type: z.literal("remove-space"), space: spaceOnDisk }),
  z.object({
    type: z.literal("read-log"),
    read: word,
    replica: word,
    space: word,
    from: number,
    limit: number,
    find: find.exactOptional(),
  }),
]);

/** What an agent said. Throws {@link MalformedMessage}. */
export function parseToServer(value: unknown): ToServer {
  return parsed(toServer.safeParse(value));
}

/** What a server said. Throws {@link MalformedMessage}. */
export function parseToAgent(value: unknown): ToAgent {
  return parsed(toAgent.safeParse(value));
}

function parsed<Message>(result: z.ZodSafeParseResult<Message>): Message {
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new MalformedMessage(`${issue?.path.join(".") || "type"}: ${issue?.message ?? "not a message"}`);
}

/** Each message is written down here as the contract has it, each of its fields too: a line that is left out does not compile. */
type Plain<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : { readonly [Key in keyof T]: Plain<T[Key]> };
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
type Messages<Message extends { readonly type: string }> = {
  readonly [Type in Message["type"]]: Plain<Extract<Message, { readonly type: Type }>>;
};
true satisfies Same<Messages<z.infer<typeof toServer>>, Messages<ToServer>>;
true satisfies Same<Messages<z.infer<typeof toAgent>>, Messages<ToAgent>>;
