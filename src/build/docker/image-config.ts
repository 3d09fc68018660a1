/** What an image says about itself, as buildah and podman print it, and what follows for running it here. Pure. */

export interface ImageConfig {
  /** SHA-256 of the image's configuration, in hexadecimal: two images of one id are the same. */
  readonly id: string;
  /** As Go names it: `amd64`, `arm64`. */
  readonly arch: string;
  readonly os: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** `root`, `1000:1000`, or nothing. */
  readonly user: string;
  /** Ports of EXPOSE, TCP alone. */
  readonly ports: readonly number[];
  /** Whether each step of its history has its time, which Docker's form demands and OCI's leaves open. */
  readonly dated: boolean;
}

/** Docker's default where an image sets none. */
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Reads what `buildah inspect --type image` or `podman image inspect` printed. Throws where it is neither. */
export function parseInspected(text: string): ImageConfig {
  const value: unknown = JSON.parse(text);
  const one = record(Array.isArray(value) ? value[0] : value);
  // buildah has the OCI image configuration in it (image-spec, config.md), podman its own form of the same.
  const oci = record(one["OCIv1"]);
  const config = record(oci["config"] ?? one["Config"]);
  const id = word(one["FromImageID"] ?? one["Id"]).replace(/^sha256:/, "");
  if (!/^[0-9a-f]{64}$/.test(id)) throw new SyntaxError("what the engine said of the image has no id");
  return {
    id,
    arch: word(oci["architecture"] ?? one["Architecture"]),
    os: word(oci["os"] ?? one["Os"]),
    entrypoint: words(config["Entrypoint"]),
    command: words(config["Cmd"]),
    env: { PATH: usualPath, ...variables(words(config["Env"])) },
    workdir: word(config["WorkingDir"]) || "/",
    user: word(config["User"]),
    ports: Object.keys(record(config["ExposedPorts"])).flatMap(tcpPort),
    dated: isDated(oci["history"] ?? one["History"]),
  };
}

/** As Go names the architectures that Node names otherwise. */
export function goArch(node: string): string {
  return { x64: "amd64", ia32: "386" }[node] ?? node;
}

/** An image's name with its registry: one that begins with no host is Docker Hub's, and with one word its library's. */
export function fullName(name: string): string {
  const [first = "", ...rest] = name.split("/");
  if (rest.length === 0) return `docker.io/library/${name}`;
  return first === "localhost" || /[.:]/.test(first) ? name : `docker.io/${name}`;
}

/** The users of an image, by its `/etc/passwd` (passwd(5)); a home that is no absolute path is none. */
export function usersOf(
  passwd: string,
): readonly { readonly name: string; readonly uid: number; readonly home: string }[] {
  return passwd.split("\n").flatMap((line) => {
    const [name = "", , uid = "", , , home = ""] = line.split(":");
    return /^\d{1,10}$/.test(uid) ? [{ name, uid: Number(uid), home: home.startsWith("/") ? home : "" }] : [];
  });
}

function variables(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.flatMap((line) => {
      const at = line.indexOf("=");
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

function isDated(history: unknown): boolean {
  return !Array.isArray(history) || history.every((step) => word(record(step)["created"]) !== "");
}

function tcpPort(text: string): readonly number[] {
  const match = /^(\d{1,5})(?:\/tcp)?$/.exec(text);
  return match ? [Number(match[1])] : [];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function word(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function words(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}
