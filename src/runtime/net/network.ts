/**
 * The network of a sandbox, from inside its namespace: everything that it sends is delivered to the namespace itself, and meets
 * one of our listeners, which takes it to the node's gateway. Nothing can leave by another way, whatever the app does.
 *
 *   TCP to one of `ports`   a listener of its own: the accepted socket's local address is where the app wanted to go
 *   other TCP               nftables sends it to one catch-all; the client's row in /proc/self/net/tcp still shows the destination
 *   names                   UDP and TCP port 53, whoever was asked, answered by the gateway
 *   other UDP               refused at once by nftables
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { connectThrough, reset } from "./connections.ts";
import { openNames } from "./names.ts";
import { Notes } from "./notes.ts";
import { OriginalDestinations, type Destination } from "./original-destination.ts";

export interface NetworkOptions {
  /** The gateway's unix socket for this sandbox. */
  readonly gateway: string;
  readonly ports: readonly number[];
  /** A line for the app's owner. */
  note(text: string): void;
}

export interface Network {
  /** Whether TCP to other ports is caught too, so that its refusal leaves evidence. */
  readonly catchAll: boolean;
  close(): Promise<void>;
}

const catchAllPort = 15_001;
const dnsPort = 53;
/** Where we listen in every network, also where an app would. */
export const ownPorts: readonly number[] = [dnsPort, catchAllPort];
/** Open outbound connections of one sandbox, on all ports; each is two of this process's file descriptors. */
const connectionsMax = 1_024;
const toolWithinMs = 5_000;
/** The last is refused where the kernel has no IPv6: then there is nothing to catch. */
const routes = ["link set lo up", "route add local 0.0.0.0/0 dev lo", "route add local ::/0 dev lo"];
/** What ip(8) says then: without IPv6 in the kernel; with IPv6 switched off, in its words and, of an older kernel, in the error's. */
const withoutIpv6 =
  /^(RTNETLINK answers: (Operation not supported|Permission denied)|Error: IPv6 is disabled on nexthop device\.)\nCommand failed -:3$/;
const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Brings the namespace's network up. Rejects with the tool's own words where even the routes cannot be set. */
export async function openNetwork({ gateway, ports, note }: NetworkOptions): Promise<Network> {
  const [catchAll] = await Promise.all([
    tool("nft", ["-f", "-"], ruleset(ports)).then(
      () => true,
      (error: Error) => {
        note(`no nftables here (${error.message}): TCP to other ports than ${ports.join(", ")} fails without a record`);
        return false;
      },
    ),
    tool("ip", ["-batch", "-"], `${routes.join("\n")}\n`).catch((error: Error) => {
      if (!isWithoutIpv6(error.message)) throw error;
    }),
  ]);
  const notes = new Notes(note);
  const names = await openNames({ gateway, port: dnsPort, notes });
  const outbound: Outbound = { gateway, notes, sockets: new Set(), redirected: new OriginalDestinations(catchAllPort) };
  const servers: Server[] = [];
  const own = new Set(ports.filter((port) => port !== dnsPort && port !== catchAllPort));
  for (const port of [...own, ...(catchAll ? [catchAllPort] : [])]) servers.push(await listen(port, outbound));
  return {
    catchAll,
    async close() {
      for (const socket of outbound.sockets) socket.destroy();
      await Promise.all([names.close(), ...servers.map(closed)]);
      notes.close();
    },
  };
}

interface Outbound {
  readonly gateway: string;
  readonly notes: Notes;
  readonly sockets: Set<Socket>;
  readonly redirected: OriginalDestinations;
}

/** Pure: whether ip(8), given the routes, failed by nothing but a kernel without IPv6. */
export function isWithoutIpv6(said: string): boolean {
  return withoutIpv6.test(said);
}

/** Pure: what nftables is told. */
export function ruleset(ports: readonly number[]): string {
  return `table inet waybill {
  chain out {
    type nat hook output priority -100;
    meta l4proto { tcp, udp } th dport ${dnsPort} redirect to :${dnsPort}
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    ${ports.length === 0 ? "" : `tcp dport { ${ports.join(", ")} } return`}
    meta l4proto tcp redirect to :${catchAllPort}
  }
  chain filter {
    type filter hook output priority 0;
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    meta l4proto tcp accept
    ct state established,related accept
    reject with icmpx admin-prohibited
  }
}
`;
}

async function listen(port: number, outbound: Outbound): Promise<Server> {
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
    (socket) => void take(socket, port, outbound),
  );
  server.listen({ port, host: "::", ipv6Only: false, backlog: 511 });
  try {
    await once(server, "listening");
  } catch (error) {
    // A kernel without IPv6.
    if ((error as NodeJS.ErrnoException).code !== "EAFNOSUPPORT") throw error;
    server.listen({ port, host: "0.0.0.0", backlog: 511 });
    await once(server, "listening");
  }
  server.on("error", (error) =>
    outbound.notes.tell("accept", `connections to port ${port} could not be taken (${error.message})`),
  );
  return server;
}

async function take(socket: Socket, port: number, { gateway, notes, sockets, redirected }: Outbound): Promise<void> {
  socket.on("error", () => socket.destroy());
  if (sockets.size >= connectionsMax) {
    notes.tell("many", `a connection was refused: ${connectionsMax} are open already`);
    return reset(socket);
  }
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  const to: Destination | undefined =
    port === catchAllPort ? await redirected.of(socket) : { address: plain(socket.localAddress ?? ""), port };
  // The app's own loopback, where nothing of its own listens on this port: that leaves nothing to decide or to record.
  if (to === undefined || isLoopback(to.address)) return reset(socket);
  await connectThrough(socket, to, gateway, notes);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

function plain(address: string): string {
  return address.replace(/^::ffff:/, "");
}

/** Runs one of the system's tools with `input`; rejects with what it said. */
async function tool(command: string, args: readonly string[], input: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { env: { PATH: toolPath }, timeout: toolWithinMs },
      (error, _stdout, stderr) => {
        if (error) reject(new Error(stderr.trim() || error.message, { cause: error }));
        else resolve();
      },
    );
    // A tool that ended before it read its input says why by its exit.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

async function closed(server: Server): Promise<void> {
  const end = once(server, "close");
  server.close();
  await end;
}
