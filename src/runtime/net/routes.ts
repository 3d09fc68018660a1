/**
 * What programs of the system do for a sandbox's network, in its namespace. They take as long as much of a shim's own start, so they are
 * begun before most of it is loaded: this module imports little.
 */
import { execFile } from "node:child_process";

/** `uncaught`: why TCP to other ports is not caught; null where it is. */
export type Routes = { readonly uncaught: string | null } | { readonly denied: Error };

export const catchAllPort = 15_001;
export const dnsPort = 53;
const toolWithinMs = 5_000;
/** The last is refused where the kernel has no IPv6: then there is nothing to catch. */
const routes = ["link set lo up", "route add local 0.0.0.0/0 dev lo", "route add local ::/0 dev lo"];
/** What ip(8) says then: without IPv6 in the kernel; with IPv6 switched off, in its words and, of an older kernel, in the error's. */
const withoutIpv6 =
  /^(RTNETLINK answers: (Operation not supported|Permission denied)|Error: IPv6 is disabled on nexthop device\.)\nCommand failed -:3$/;
const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Lays the routes, and what sends all TCP to our listeners, but that to `ports`. Never rejects. */
export async function layRoutes(ports: readonly number[]): Promise<Routes> {
  const [nft, ip] = await Promise.all([
    tool("nft", ["-f", "-"], ruleset(ports)),
    tool("ip", ["-batch", "-"], `${routes.join("\n")}\n`),
  ]);
  if (ip !== null && !isWithoutIpv6(ip.message)) return { denied: ip };
  return { uncaught: nft === null ? null : nft.message };
}

/** Lays rules for these ports in place of others. Resolves with why that cannot be; null where it was done. */
export async function replaceRules(ports: readonly number[]): Promise<string | null> {
  const failed = await tool("nft", ["-f", "-"], `delete table inet waybill\n${ruleset(ports)}`);
  return failed && failed.message;
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

/** Runs one of the system's tools with `input`; resolves with what it said where it failed. */
function tool(command: string, args: readonly string[], input: string): Promise<Error | null> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { env: { PATH: toolPath }, timeout: toolWithinMs },
      (error, _stdout, stderr) => {
        resolve(error && new Error(stderr.trim() || error.message, { cause: error }));
      },
    );
    // A tool that ended before it read its input says why by its exit.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
