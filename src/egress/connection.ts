/** One outbound connection from the app's wish to its end: what decides, in which order, and what is said of it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { encodeInside, type ConnectAnswer, type ConnectRequest } from "../contract/egress.ts";
import type { NameRule } from "../contract/reach.ts";
import type { Facts } from "../evidence/entry.ts";
import { newId } from "../stdx/ids.ts";
import { ConnectionRecord, type Refused } from "./connection-record.ts";
import { DialFailed, errnoOf } from "./dial.ts";
import type { GatewayCaller, GatewayOptions, OwnEdge } from "./gateway.ts";
import type { Pace } from "./pace.ts";
import { decideAddress, decidePort, decideReach, type EgressPolicy } from "./policy.ts";
import type { Refusals } from "./refusals.ts";
import { transfer } from "./transfer.ts";

/** What a connection of one sandbox meets on its way. */
export interface Carrier {
  readonly options: GatewayOptions;
  readonly policy: EgressPolicy;
  /** What the Space keeps to of that now, by its owner; null: to all of it. */
  readonly reach: () => readonly NameRule[] | null;
  readonly caller: GatewayCaller;
  /** For which the sandbox was given the address; null where it was given none. */
  readonly name: string | null;
  readonly refusals: Refusals;
  readonly pace: Pace;
  /** The sandbox is closed, or its Space does not keep to this any more. */
  readonly signal: AbortSignal;
  /** The gateway has no room for this one. */
  readonly full: boolean;
}

/** Nothing either way for so long: long polls and idle keep-alive connections are well below. */
const idleMs = 3_600_000;
/** Addresses of one name that are tried; names with more are balanced over all of them. */
const addressesMax = 8;
/** How long a refused sandbox may take to read why. */
const refusedReadMs = 5_000;
const ownSpaceRule = "a Space of this platform";

/** Resolves when both sides are closed. Never rejects for what the world does: that is the connection's end. */
export async function carry(carrier: Carrier, inside: Socket, to: ConnectRequest, first: Buffer): Promise<void> {
  const { caller, name, options, signal } = carrier;
  const place = placeOf(name ?? to.address, to.port);
  const about: Facts = {
    link: caller.id,
    space: caller.space,
    profile: caller.profile,
    name,
    address: to.address,
    port: to.port,
  };
  const record = new ConnectionRecord(newId("x", options.random), about, options.emitter, options.clock);
  let reached: Reached | Refused;
  try {
    const waitMs = carrier.pace.take();
    if (waitMs > 0) await delay(waitMs, undefined, { signal });
    reached = await reach(carrier, to, record);
  } catch (error) {
    if (!signal.aborted) throw error;
    record.carried({ sentBytes: 0, receivedBytes: 0, brokenBy: "gateway" });
    return void inside.destroy();
  }
  if ("code" in reached) return refuse(carrier, inside, record, place, reached);
  const { socket: outside, address } = reached;
  answer(inside, { ok: true, connection: record.id, name: name ?? to.address });
  if (address === null) outside.write(encodeInside({ replica: caller.id, space: caller.space }));
  const { sent, received, brokenBy, errno } = await transfer(inside, outside, {
    first,
    idleMs,
    signal,
    brokenUnanswered: (code) => broken(carrier, record, place, code),
  });
  if (brokenBy === "remote" && received === 0) return;
  const bytes = { sentBytes: sent, receivedBytes: received };
  record.carried(brokenBy === null ? bytes : { ...bytes, brokenBy, ...(errno === null ? {} : { errno }) });
}

interface Reached {
  readonly socket: Socket;
  /** Null: the edge. */
  readonly address: string | null;
}

async function reach(
  carrier: Carrier,
  { address, port }: ConnectRequest,
  record: ConnectionRecord,
): Promise<Reached | Refused> {
  const { name, policy, signal } = carrier;
  const { edge, dialler } = carrier.options;
  if (carrier.full) {
    const says = `${placeOf(name ?? address, port)} was not reached: the node's gateway carries as many connections as it can`;
    return { code: "egress/gateway-down", hop: "egress.open", mark: "refused", says };
  }
  if (name === null) {
    const says = `${placeOf(address, port)} was not reached: others are reached by name from here, and no name was answered with this address`;
    return {
      code: "egress/address-denied",
      hop: "egress.policy",
      mark: "refused",
      says,
      facts: { rule: "by name only" },
    };
  }
  const isOurs = edge?.isOurs(name) === true;
  const allowed = isOurs ? ({ ok: true, rule: ownSpaceRule } as const) : decidePort(policy, name, port);
  if (!allowed.ok) return { ...allowed, hop: "egress.policy", mark: "refused", facts: { rule: allowed.rule } };
  const kept = decideReach(carrier.reach(), name, port);
  if (!kept.ok) return { ...kept, hop: "egress.policy", mark: "refused", facts: { rule: kept.rule, setBy: "owner" } };
  if (edge && isOurs) return reachEdge(edge, name, port, record);
  let addresses: readonly string[];
  try {
    addresses = (await dialler.resolve(name, signal)).slice(0, addressesMax);
  } catch (error) {
    signal.throwIfAborted();
    const errno = errnoOf(error);
    return {
      code: "egress/dns-failed",
      hop: "egress.resolve",
      mark: "failed",
      says: unresolved(name, errno),
      facts: { errno },
    };
  }
  if (addresses.length === 0)
    return {
      code: "egress/dns-failed",
      hop: "egress.resolve",
      mark: "failed",
      says: unresolved(name, "ENODATA"),
      facts: { errno: "ENODATA" },
    };
  record.pass("egress.resolve", { addresses });
  const decided = addresses.map((one) => ({ one, decision: decideAddress(policy, name, port, one) }));
  const checked = decided.flatMap(({ one, decision }) => (decision.ok ? one : []));
  const denied = decided.flatMap(({ decision }) => (decision.ok ? [] : decision));
  if (checked.length === 0 && denied[0]) {
    const { code, says, rule } = denied[0];
    return { code, says, hop: "egress.policy", mark: "refused", facts: { rule } };
  }
  const rules = [allowed.rule, ...new Set(decided.flatMap(({ decision }) => (decision.ok ? decision.rule : [])))];
  record.pass("egress.policy", {
    rule: rules.join("; "),
    ...(denied.length > 0 ? { notDialled: denied.map(({ says }) => says) } : {}),
  });
  return dial(carrier, name, port, checked, record);
}

async function dial(
  carrier: Carrier,
  name: string,
  port: number,
  addresses: readonly string[],
  record: ConnectionRecord,
): Promise<Reached | Refused> {
  try {
    const dialled = await carrier.options.dialler.dial(addresses, port, carrier.signal);
    record.pass("egress.dial", { dialled: dialled.address });
    return dialled;
  } catch (error) {
    carrier.signal.throwIfAborted();
    const errno = errnoOf(error);
    const tried =
      error instanceof DialFailed ? error.tried.map((one) => `${one.address} (${one.errno})`) : [...addresses];
    const facts = { errno, tried };
    const failed = { hop: "egress.dial", mark: "failed", facts } as const;
    // A listener took the connection and broke it before this side had seen that it was taken.
    if (errno === "ECONNRESET")
      return { ...failed, code: "egress/remote-refused", says: brokenSays(`${name}:${port}`, errno) };
    if (errno === "ETIMEDOUT")
      return {
        ...failed,
        code: "egress/dial-timeout",
        says: `${name}:${port} did not answer in time; tried ${tried.join(", ")}`,
      };
    return {
      ...failed,
      code: "egress/dial-refused",
      says: `${name}:${port} did not take the connection; tried ${tried.join(", ")}`,
    };
  }
}

/** A name that the edge gave out: dialled there, so that a Space reaches a Space; the policy of names is about others. */
async function reachEdge(
  edge: OwnEdge,
  name: string,
  port: number,
  record: ConnectionRecord,
): Promise<Reached | Refused> {
  const facts = { rule: ownSpaceRule };
  if (!edge.servesPort(port)) {
    const says = `${name} is ${ownSpaceRule}, which does not answer on port ${port}`;
    return { code: "egress/port-denied", hop: "egress.policy", mark: "refused", says, facts };
  }
  record.pass("egress.policy", facts);
  const socket = connect({ path: edge.path, allowHalfOpen: true });
  try {
    await once(socket, "connect");
  } catch (error) {
    const errno = errnoOf(error);
    const says = `the platform's own edge did not take the connection to ${name}:${port} (${errno})`;
    return { code: "egress/dial-refused", hop: "egress.dial", mark: "failed", says, facts: { errno, edge: true } };
  }
  record.pass("egress.dial", { dialled: "the edge" });
  return { socket, address: null };
}

function refuse(carrier: Carrier, inside: Socket, record: ConnectionRecord, place: string, refused: Refused): void {
  const { standsFor, ...counted } = carrier.refusals.count(carrier.caller.id, `${refused.code} ${place}`, record.id);
  if (standsFor === null) record.ended(refused, factsOf(counted));
  answer(inside, { ok: false, connection: standsFor ?? record.id, code: refused.code, says: refused.says });
  inside.setTimeout(refusedReadMs, () => inside.destroy());
  inside.resume();
  inside.end();
}

/** The app was told that it is connected, so each has an end of its own; only how it got there is not repeated. */
function broken(carrier: Carrier, record: ConnectionRecord, to: string, errno: string): void {
  const refused: Refused = {
    code: "egress/remote-refused",
    hop: "egress.stream",
    mark: "failed",
    says: brokenSays(to, errno),
    facts: { errno },
  };
  const { standsFor, ...counted } = carrier.refusals.count(carrier.caller.id, `${refused.code} ${to}`, record.id);
  if (standsFor === null) record.ended(refused, factsOf(counted));
  else record.endedLikeOthers(refused, { like: standsFor });
}

function placeOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function factsOf({ before, others }: { readonly before: number; readonly others: boolean }): Facts {
  return { ...(before > 0 ? { likeItBefore: before } : {}), ...(others ? { others } : {}) };
}

function unresolved(name: string, errno: string): string {
  switch (errno) {
    case "ENOTFOUND":
      return `${name} does not exist: no name server knows it (${errno})`;
    case "ENODATA":
      return `${name} has no address (${errno})`;
    case "ETIMEOUT":
      return `${name} could not be resolved: its name servers did not answer in time (${errno})`;
    default:
      return `${name} could not be resolved (${errno})`;
  }
}

function brokenSays(to: string, errno: string): string {
  return `${to} broke the connection before it sent anything (${errno})`;
}

function answer(inside: Socket, said: ConnectAnswer): void {
  inside.write(`${JSON.stringify(said)}\n`);
}
