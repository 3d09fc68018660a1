/** One outbound connection from the app's wish to its end, with its evidence. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { encodeInside, type ConnectAnswer, type ConnectRequest } from "../contract/egress.ts";
import type { Code } from "../evidence/codes.ts";
import type { Facts, Hop } from "../evidence/entry.ts";
import { newId } from "../stdx/ids.ts";
import type { GatewayCaller, GatewayOptions } from "./gateway.ts";
import { decideAddress, decidePort, type EgressPolicy } from "./policy.ts";
import type { Refusals } from "./refusals.ts";
import type { SyntheticNames } from "./synthetic-names.ts";

export interface Carrier extends Omit<GatewayOptions, "policies"> {
  readonly policy: EgressPolicy;
  readonly caller: GatewayCaller;
  readonly names: SyntheticNames;
  readonly refusals: Refusals;
}

/** Nothing either way for so long: long polls and idle keep-alive connections are well below. */
const idleMs = 3_600_000;
/** Addresses of one name that are tried. */
const addressesMax = 6;

interface Refused {
  readonly code: Code;
  readonly hop: Hop;
  readonly mark: "refused" | "failed";
  readonly says: string;
  readonly rule?: string;
  readonly facts?: Facts;
}

interface Reached {
  readonly socket: Socket;
  readonly address: string;
  readonly rule: string;
  readonly ours: boolean;
}

type Stages = (readonly [hop: Hop, ms: number])[];

/** Resolves when both sides are closed. Never rejects: what goes wrong is the connection's end. */
export async function carry(carrier: Carrier, inside: Socket, to: ConnectRequest, first: Buffer): Promise<void> {
  const id = newId("x", carrier.random);
  const startedAt = carrier.clock.wall();
  const since = carrier.clock.monotonic();
  const stages: Stages = [["egress.open", 0]];
  const stage = (hop: Hop): void => void stages.push([hop, carrier.clock.monotonic() - since]);
  const name = carrier.names.nameOf(to.address) ?? null;
  const about: Facts = {
    link: carrier.caller.id,
    space: carrier.caller.space,
    name,
    address: to.address,
    port: to.port,
  };
  const reached = await reach(carrier, to, name, stage);
  if ("code" in reached) return refuse(carrier, inside, id, about, reached);
  if (inside.destroyed) {
    reached.socket.destroy();
    return;
  }
  const { socket: outside, address, rule, ours } = reached;
  answer(inside, { ok: true, connection: id });
  if (ours) outside.write(encodeInside({ replica: carrier.caller.id, space: carrier.caller.space }));
  const bytes = await transfer(inside, outside, first);
  stage("egress.stream");
  const facts: Facts = { ...about, dialled: address, rule, sentBytes: bytes.sent, receivedBytes: bytes.received };
  if (bytes.errno !== null && bytes.received === 0) {
    const says = `${name ?? address}:${to.port} broke the connection before it sent anything (${bytes.errno})`;
    entry(carrier, id, "egress.open", "took", about);
    entry(carrier, id, "egress.stream", "failed", { ...facts, code: "egress/remote-refused", says });
    return;
  }
  carrier.emitter.pack({
    work: id,
    kind: "connection",
    startedAt,
    stages,
    facts: { ...facts, ...(bytes.errno === null ? {} : { brokenBy: bytes.errno }) },
  });
}

async function reach(
  carrier: Carrier,
  { address, port }: ConnectRequest,
  name: string | null,
  stage: (hop: Hop) => void,
): Promise<Reached | Refused> {
  if (name === null) {
    const says = `${address}:${port} was not reached: an app reaches others by name, and no name was answered with this address here`;
    return { code: "egress/address-denied", hop: "egress.policy", mark: "refused", says, rule: "by name only" };
  }
  const { edge, policy } = carrier;
  if (edge?.isOurs(name)) return reachEdge(edge, name, port, stage);
  const allowed = decidePort(policy, name, port);
  if (!allowed.ok)
    return { code: allowed.code, hop: "egress.policy", mark: "refused", says: allowed.says, rule: allowed.rule };
  let addresses: readonly string[];
  try {
    addresses = (await carrier.dialler.resolve(name)).slice(0, addressesMax);
  } catch (error) {
    const code = errnoOf(error);
    return {
      code: "egress/dns-failed",
      hop: "egress.resolve",
      mark: "failed",
      says: `${name} could not be resolved (${code})`,
      facts: { errno: code },
    };
  }
  stage("egress.resolve");
  const decided = addresses.map((one) => ({ one, decision: decideAddress(policy, name, one) }));
  const dialled = decided.filter(({ decision }) => decision.ok).map(({ one }) => one);
  const denied = decided.find(({ decision }) => !decision.ok)?.decision;
  if (dialled.length === 0) {
    if (denied && !denied.ok)
      return {
        code: denied.code,
        hop: "egress.policy",
        mark: "refused",
        says: denied.says,
        rule: denied.rule,
        facts: { addresses: [...addresses] },
      };
    return {
      code: "egress/dns-failed",
      hop: "egress.resolve",
      mark: "failed",
      says: `${name} has no address`,
      facts: { errno: "ENODATA" },
    };
  }
  stage("egress.policy");
  return dialFirst(carrier, name, port, dialled, allowed.rule, stage);
}

async function dialFirst(
  carrier: Carrier,
  name: string,
  port: number,
  addresses: readonly string[],
  rule: string,
  stage: (hop: Hop) => void,
): Promise<Reached | Refused> {
  let last = "";
  for (const address of addresses) {
    try {
      const socket = await carrier.dialler.dial(address, port);
      stage("egress.dial");
      return { socket, address, rule, ours: false };
    } catch (error) {
      last = errnoOf(error);
    }
  }
  // A listener took the connection and broke it before this side had seen that it was taken.
  if (last === "ECONNRESET") {
    const says = `${name}:${port} broke the connection before it sent anything (${last})`;
    return {
      code: "egress/remote-refused",
      hop: "egress.dial",
      mark: "failed",
      says,
      facts: { errno: last, addresses: [...addresses] },
    };
  }
  const timedOut = last === "ETIMEDOUT";
  const how = timedOut ? "did not answer in time" : `did not take the connection (${last})`;
  return {
    code: timedOut ? "egress/dial-timeout" : "egress/dial-refused",
    hop: "egress.dial",
    mark: "failed",
    says: `${name}:${port} ${how}; tried ${addresses.join(", ")}`,
    facts: { errno: last, addresses: [...addresses] },
  };
}

/** A name that the edge gave out: dialled there, so that a Space calls a Space. */
async function reachEdge(
  edge: NonNullable<GatewayOptions["edge"]>,
  name: string,
  port: number,
  stage: (hop: Hop) => void,
): Promise<Reached | Refused> {
  const rule = "a Space of this platform";
  if (!edge.servesPort(port))
    return {
      code: "egress/port-denied",
      hop: "egress.policy",
      mark: "refused",
      says: `${name} is a Space of this platform, which does not answer on port ${port}`,
      rule,
    };
  stage("egress.policy");
  const socket = connect({ path: edge.path, allowHalfOpen: true });
  try {
    await once(socket, "connect");
  } catch (error) {
    return {
      code: "egress/dial-refused",
      hop: "egress.dial",
      mark: "failed",
      says: `the platform's edge did not take the connection (${errnoOf(error)})`,
      facts: { errno: errnoOf(error) },
    };
  }
  socket.on("error", () => socket.destroy());
  stage("egress.dial");
  return { socket, address: "the edge", rule, ours: true };
}

function refuse(
  carrier: Carrier,
  inside: Socket,
  id: string,
  about: Facts,
  { code, hop, mark, says, rule, facts }: Refused,
): void {
  const kind = JSON.stringify([code, about["name"] ?? about["address"], about["port"]]);
  const { first, before } = carrier.refusals.count(carrier.caller.id, kind, id);
  if (first === null) {
    entry(carrier, id, "egress.open", "took", about);
    entry(carrier, id, hop, mark, {
      ...about,
      ...facts,
      code,
      says,
      ...(rule === undefined ? {} : { rule }),
      ...(before > 0 ? { likeItBefore: before } : {}),
    });
  }
  answer(inside, { ok: false, connection: first ?? id, code, says });
  inside.end();
}

function entry({ emitter }: Carrier, work: string, hop: Hop, mark: "took" | "refused" | "failed", facts: Facts): void {
  emitter.write({ work, hop, mark, facts });
}

function answer(inside: Socket, said: ConnectAnswer): void {
  inside.write(`${JSON.stringify(said)}\n`);
}

interface Transferred {
  readonly sent: number;
  readonly received: number;
  /** The system's name of what broke the outer side; null: it closed in order, or the app did. */
  readonly errno: string | null;
}

function transfer(inside: Socket, outside: Socket, first: Buffer): Promise<Transferred> {
  let sent = first.length;
  let received = 0;
  let errno: string | null = null;
  outside.removeAllListeners("error");
  outside.on("error", (error) => {
    errno ??= inside.destroyed ? null : errnoOf(error);
    inside.destroy();
  });
  inside.on("close", () => outside.destroy());
  for (const socket of [inside, outside]) socket.setTimeout(idleMs, () => socket.destroy());
  if (first.length > 0) outside.write(first);
  inside.on("data", (bytes: Buffer) => (sent += bytes.length));
  outside.on("data", (bytes: Buffer) => (received += bytes.length));
  inside.pipe(outside);
  outside.pipe(inside);
  const closed = (socket: Socket): Promise<unknown> =>
    socket.closed ? Promise.resolve() : new Promise((done) => socket.once("close", done));
  outside.on("close", () => (outside.readableEnded ? inside.end() : inside.destroy()));
  return Promise.all([closed(inside), closed(outside)]).then(() => ({ sent, received, errno }));
}

function errnoOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
