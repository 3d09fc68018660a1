/** What listening for other machines demands: a name by which it is reached, and that nobody on the way reads what is sent. Pure. */

export interface Opening {
  /** What it listens on, and whether other machines reach it there. */
  readonly address: string;
  readonly isOpen: boolean;
  /** The edge speaks TLS by itself; a proxy in front is named, which does. */
  readonly hasTls: boolean;
  readonly hasProxies: boolean;
  /** Null: nobody said one. */
  readonly appsDomain: string | null;
  readonly consoleHost: string | null;
  /** What was said of the console's host by itself, and by its address. */
  readonly named: string | null;
  readonly publicHost: string | null;
  readonly isByPorts: boolean;
}

/** Sentences for the operator, each with what to do; none where it may be opened so. */
export function openingProblems(asked: Opening): string[] {
  return [...nameProblems(asked), ...(asked.isOpen ? openProblems(asked) : [])];
}

function nameProblems({ isOpen, appsDomain, consoleHost, named, publicHost, isByPorts }: Opening): string[] {
  const problems: string[] = [];
  const isUnread = [named, publicHost].some((host) => host?.endsWith(".invalid"));
  if (named !== null && publicHost !== null && named !== publicHost && !isUnread)
    problems.push(
      `--console-host is "${named}" and --public-url names "${publicHost}"; they are the same place, so leave one of them out`,
    );
  if (!isOpen && publicHost !== null && appsDomain === null && !isByPorts && !isLocal(publicHost))
    problems.push(
      "--public-url says where the console is, and nothing says where the Spaces are; add --apps-domain, such as apps.example.com, whose subdomains lead here too",
    );
  const label = consoleHost?.endsWith(`.${appsDomain}`) ? consoleHost.slice(0, -1 - (appsDomain?.length ?? 0)) : "";
  if (label.includes("-") && !label.includes("."))
    problems.push(
      `the console's host "${consoleHost}" could be a Space's, which is called <owner>-<name>.${appsDomain}; choose one without a hyphen, or outside of ${appsDomain}`,
    );
  return problems;
}

function openProblems({
  address,
  hasTls,
  hasProxies,
  appsDomain,
  consoleHost,
  publicHost,
  isByPorts,
}: Opening): string[] {
  const problems: string[] = [];
  const opens = `--host ${address} opens the platform to a network`;
  if (consoleHost === null || isLocal(consoleHost))
    problems.push(
      `${opens}, and nothing says under which name it is reached there; add --console-host, such as waybill.example.com`,
    );
  if (!isByPorts && (appsDomain === null || isLocal(appsDomain)))
    problems.push(
      `${opens}, where names under localhost lead nowhere; add --apps-domain, such as apps.example.com, or give each Space a port with --addresses ports`,
    );
  if (!hasTls && hasProxies && publicHost === null)
    problems.push(
      `${opens} behind a proxy, and nothing says how visitors reach that one; add --public-url, such as https://waybill.example.com`,
    );
  if (!hasTls && !hasProxies)
    problems.push(
      `${opens}, where others could read access tokens and what visitors send; add --tls with certificate files, acme or ca, or put a proxy with TLS in front and name it with WAYBILL_TRUSTED_PROXIES (docs/network.md has recipes for all of them)`,
    );
  return problems;
}

function isLocal(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host.startsWith("127.") || host === "[::1]";
}
