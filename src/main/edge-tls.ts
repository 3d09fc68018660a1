/** Plugs certificates into the edge: which hosts are ours, where they are kept, and when they are read again. */
import { join } from "node:path";
import type { SpaceDirectory, TlsOptions } from "../edge/index.ts";
import type { TlsStatus } from "../contract/status.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import type { PlatformConfig } from "./config.ts";
import { consoleHosts } from "./own-edge.ts";
import type { PlatformLog } from "./platform.ts";

export interface EdgeTls extends Disposable {
  /** None where the platform was started without TLS. */
  readonly options: { readonly tls?: TlsOptions };
  status(): Promise<TlsStatus | null>;
}

export async function openEdgeTls(
  { tls, network, data }: PlatformConfig,
  {
    directory,
    clock,
    log,
  }: { readonly directory: Pick<SpaceDirectory, "find">; readonly clock: Clock; readonly log: PlatformLog },
): Promise<EdgeTls> {
  if (tls === null) return { options: {}, status: async () => null, [Symbol.dispose]: () => {} };
  // Loaded here: a platform without TLS starts without it.
  const { Certificates } = await import("../tls/index.ts");
  const own = new Set(consoleHosts(network));
  const pairs = await Certificates.open({
    sources: tls,
    folder: join(data, "tls"),
    appsDomain: network.appsDomain,
    now: () => clock.wall(),
    isOurs: (host) => own.has(host) || directory.find(host) !== undefined,
    log,
  });
  const reload = (): void => pairs.reload();
  process.on("SIGHUP", reload);
  const { plainPort } = tls;
  const publicPort = network.visited?.port;
  return {
    options: {
      tls: { pairs, ...(plainPort !== null && { plainPort }), ...(publicPort !== undefined && { publicPort }) },
    },
    status: async () => {
      const { certificates, problems } = await pairs.shown();
      return {
        certificates: certificates.map(({ names, from, notAfter }) => ({
          names,
          from,
          notAfter: iso(instant(notAfter)),
        })),
        problems: problems.map(({ says }) => says),
      };
    },
    [Symbol.dispose]: () => {
      process.off("SIGHUP", reload);
      pairs[Symbol.dispose]();
    },
  };
}
