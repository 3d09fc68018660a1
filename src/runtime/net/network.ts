/**
 * The network of a sandbox, from inside its namespace: everything that it sends is delivered to the namespace itself, and meets
 * one of our listeners, which takes it to the node's gateway. Nothing can leave by another way, whatever the app does.
 *
 *   TCP to one of `ports`   a listener of its own: the accepted socket's local address is where the app wanted to go
 *   other TCP               nftables sends it to one catch-all; the client's row in /proc/self/net/tcp still shows the destination
 *   names                   UDP and TCP port 53, whoever was asked, answered by the gateway
 *   other UDP               refused at once by nftables
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { connectThrough, reset } from "./connections.ts";
import { openNames } from "./names.ts";
import { Notes } from "./notes.ts";
import { OriginalDestinations, type Destination } from "./original-destination.ts";
import { catchAllPort, dnsPort, layRoutes, type Routes } from "./routes.ts";

export interface NetworkOptions {
  /** By {@link layRoutes}, for the same ports; laid now where they are absent. */
  readonly routes?: Promise<Routes>;
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

/** Where we listen in every network, also where an app would. */
export const ownPorts: readonly number[] = [dnsPort, catchAllPort];
/** Open outbound connections of one sandbox, on all ports; each is two of this process's file descriptors. */
const connectionsMax = 1_024;

/** Brings the namespace's network up. Rejects with the tool's own words where even the routes cannot be set. */
export async function openNetwork({ routes, gateway, ports, note }: NetworkOptions): Promise<Network> {
  const laid = await (routes ?? layRoutes(ports));
  if ("denied" in laid) throw laid.denied;
  const { uncaught } = laid;
  const catchAll = uncaught === null;
  if (uncaught !== null)
    note(`no nftables here (${uncaught}): TCP to other ports than ${ports.join(", ")} fails without a record`);
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

async function listen(port: number, outbound: Outbound): Promise<Server> {
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
    (socket) => void take(socket, port, outbound),
  );
  // Without an address it is both protocols', or IPv4's alone where the kernel has no other; and Node looks at none.
  server.listen({ port, backlog: 511 });
  await once(server, "listening");
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

async function closed(server: Server): Promise<void> {
  const end = once(server, "close");
  server.close();
  await end;
}
