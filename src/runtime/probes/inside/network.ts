/** Probes of what an app reaches: by address, by name, by socket files, past the node's gateway. */
import { createSocket, type Socket } from "node:dgram";
import { lookup, Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect, createServer, type NetConnectOpts } from "node:net";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { unservedPort, type Facts, type ReplicaFacts } from "./facts.ts";
import type { Probe } from "./probe.ts";

/** The gateway has its own bounds, smaller than this in all but the worst case. */
const answerWithinMs = 12_000;
/** What a datagram that got out would be answered in, on one machine. */
const datagramWithinMs = 500;
const refused = [
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
  "EPIPE",
] as const;
const absent = [...refused, "ENOENT", "ENOTDIR"] as const;

/** Of clouds: whoever reaches one of these may become the machine. Security groups of providers name them. */
const metadata = {
  "metadata-common": "169.254.169.254",
  "metadata-tasks": "169.254.170.2",
  "metadata-pods": "169.254.170.23",
  "metadata-alibaba": "100.100.100.200",
  "metadata-oracle": "192.0.0.192",
  "metadata-azure": "168.63.129.16",
  "metadata-ipv6": "fd00:ec2::254",
} as const;
const elsewhere = {
  "private-10": "10.0.0.1",
  "private-172": "172.16.0.1",
  "private-192": "192.168.1.1",
  "private-carrier": "100.64.0.1",
  "private-ipv6": "fd00::1",
  "link-ipv6": "fe80::1%lo",
  "public-ipv4": "1.1.1.1",
  "public-ipv6": "2606:4700:4700::1111",
  "mapped-private": "::ffff:10.0.0.1",
  "mapped-metadata": "::ffff:169.254.169.254",
  "translated-metadata": "64:ff9b::a9fe:a9fe",
  "tunnelled-metadata": "2002:a9fe:a9fe::1",
} as const;
const engines = {
  docker: "/run/docker.sock",
  "docker-var": "/var/run/docker.sock",
  podman: "/run/podman/podman.sock",
  containerd: "/run/containerd/containerd.sock",
  crio: "/run/crio/crio.sock",
  systemd: "/run/systemd/private",
  bus: "/run/dbus/system_bus_socket",
  agent: "/run/snapd.socket",
} as const;

export function networkProbes(facts: Facts): readonly Probe[] {
  return [...addresses(), ...ofTheHost(facts), ...sockets(facts), ...datagrams(facts), ...itself()];
}

function addresses(): readonly Probe[] {
  return [
    ...Object.entries(metadata).map(([name, host]) => reaches(name, `reach ${host}, who the machine is`, host, 80)),
    ...Object.entries(elsewhere).map(([name, host]) => reaches(name, `reach ${host} by its number`, host, 443)),
    reaches("port-ssh", "reach a port that the policy does not name", "10.0.0.1", 22),
    reaches("port-mail", "send mail", "1.1.1.1", 25),
    reaches("port-engine", "reach a container engine's port", "172.17.0.1", 2375),
    reaches("port-kubelet", "reach a cluster's node", "10.0.0.1", 10_250),
    reaches("port-unserved", "reach a port that nobody serves", "1.1.1.1", unservedPort),
    reaches("name-decimal", "reach the host by a number written as one", "2130706433", 80),
  ];
}

function ofTheHost({ host, neighbour }: Facts): readonly Probe[] {
  return [
    ...host.addresses.map((address, index) =>
      reaches(`host-address-${index + 1}`, `reach the host at ${address}`, address, host.tcpPort),
    ),
    reaches("host-mapped", "reach the host's loopback by a mapped address", "::ffff:127.0.0.1", host.tcpPort),
    reaches("host-any", "reach the host by 0.0.0.0", "0.0.0.0", host.tcpPort),
    reaches("neighbour-port", "reach its neighbour's port", "127.0.0.1", neighbourPort),
    {
      name: "host-names",
      tries: "have names answered by another resolver than the node's",
      closed: ["synthetic", ...refused, "ETIMEOUT", "ENOTFOUND", "ESERVFAIL", "ENODATA"],
      try: async () => {
        const resolver = new Resolver({ timeout: 2_000, tries: 1 });
        resolver.setServers(["8.8.8.8"]);
        return (await resolver.resolve4("probe.example")).every(isSynthetic) ? "synthetic" : undefined;
      },
    },
    {
      name: "own-names",
      tries: "learn the real address of a name",
      closed: ["synthetic", "ENOTFOUND", "EAI_AGAIN"],
      try: async () => (isSynthetic((await lookup("probe.example")).address) ? "synthetic" : undefined),
    },
    unix("host-socket", "reach a socket file of the host", host.socket),
    unix("host-abstract", "reach an abstract socket of the host", `\0${host.abstract}`),
    unix("neighbour-abstract", "reach an abstract socket of its neighbour", `\0${neighbour.replica}`),
    ...Object.entries(engines).map(([name, path]) => unix(`engine-${name}`, `command ${path}`, path)),
  ];
}

/** Every app listens on its port in a network of its own; the prober has chosen another. */
export const neighbourPort = 7861;

function sockets({ own, neighbour }: Facts): readonly Probe[] {
  const of = (whose: string, says: string, { sockets: folder }: ReplicaFacts): readonly Probe[] => [
    unix(`${whose}-in`, `reach ${says} inbound socket`, join(folder, "in.sock")),
    unix(`${whose}-control`, `give orders to ${says} shim`, join(folder, "ctl.sock")),
    unix(`${whose}-gateway`, `speak to the gateway as ${says} shim does`, join(folder, "egress.sock")),
  ];
  return [...of("own", "its own", own), ...of("neighbour", "its neighbour's", neighbour)];
}

function datagrams({ host }: Facts): readonly Probe[] {
  return [
    ...host.addresses.map((address, index) =>
      sends(`datagram-host-${index + 1}`, `send a datagram to the host at ${address}`, address, host.udpPort),
    ),
    sends("datagram-public", "send a datagram to a public address", "8.8.8.8", 123),
    sends("datagram-private", "send one to a private address", "10.0.0.1", 161),
    sends("datagram-metadata", "send one to the metadata address", "169.254.169.254", 80),
    sends("datagram-ipv6", "send one by IPv6", "2606:4700:4700::1111", 443),
    shouts("datagram-multicast", "speak to all in its network", "224.0.0.251", 5353),
    shouts("datagram-broadcast", "shout to all in its network", "255.255.255.255", 9),
  ];
}

function itself(): readonly Probe[] {
  return [
    listens("listen-way-out", "take the place of the listener that is its way out", 80),
    listens("listen-names", "take the place of its resolver", 53),
    listens("listen-low", "listen on a port of the system's", 81),
  ];
}

function isSynthetic(address: string): boolean {
  return /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(address);
}

const reaches = (name: string, tries: string, host: string, port: number): Probe => ({
  name,
  tries,
  closed: [...refused, "ENOTFOUND", "EAI_AGAIN", "EINVAL", "ended"],
  try: () => exchange({ host, port }),
});

const unix = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: absent,
  try: () => exchange({ path }),
});

/** Sends something and waits for anything. A connection that stays open in silence is open. */
async function exchange(to: NetConnectOpts): Promise<string> {
  const socket = connect(to);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.once("error", reject);
  socket.once("data", (bytes: Buffer) => resolve(`open: ${bytes.length} bytes came back`));
  socket.once("end", () => resolve("ended"));
  socket.once("connect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  const late = setTimeout(() => resolve(socket.connecting ? "silent" : "open: connected"), answerWithinMs);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}

const sends = (name: string, tries: string, address: string, port: number): Probe => ({
  name,
  tries,
  closed: refused,
  // To one: what is refused where it would arrive comes back as an error, and silence means that it left.
  try: () =>
    datagram(address, async (socket) => {
      socket.connect(port, address);
      await once(socket, "connect");
      socket.send("probe");
      await answerTime();
    }),
});

const shouts = (name: string, tries: string, address: string, port: number): Probe => ({
  name,
  tries,
  closed: [...refused, "unanswered"],
  try: () =>
    datagram(address, async (socket) => {
      socket.bind(0);
      await once(socket, "listening");
      socket.setBroadcast(true);
      await new Promise<void>((resolve, reject) => {
        socket.send("probe", port, address, (error) => (error ? reject(error) : resolve()));
      });
      await answerTime();
      return "unanswered";
    }),
});

/** On a busy machine the time may be over before what came meanwhile was looked at: so that is looked at first. */
async function answerTime(): Promise<void> {
  await delay(datagramWithinMs);
  await nextTurn();
  await nextTurn();
}

async function datagram(address: string, act: (socket: Socket) => Promise<string | void>): Promise<string | void> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<string | void>();
  socket.once("error", reject);
  socket.once("message", () => resolve("open: answered"));
  act(socket).then(resolve, reject);
  try {
    return await promise;
  } finally {
    socket.close();
  }
}

const listens = (name: string, tries: string, port: number): Probe => ({
  name,
  tries,
  closed: ["EACCES", "EADDRINUSE", "EPERM"],
  try: async () => {
    const server = createServer();
    server.listen(port, "0.0.0.0");
    await once(server, "listening");
    server.close();
  },
});
