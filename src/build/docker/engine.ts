/** The program that makes images: which one this machine has, how it is configured, and its command lines. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Engine {
  readonly name: "buildah" | "podman";
  readonly path: string;
}

/** `overlay` shares the files of layers, `vfs` copies them: where the kernel makes no overlay in a user namespace. */
export type StorageDriver = "overlay" | "vfs";

/** What a Dockerfile is given beside its files. */
export interface BuildInputs {
  /** Build arguments, by name: they are in the image's history. */
  readonly variables: Readonly<Record<string, string>>;
  /** Files of this machine that variables name, certificates: each is at `/run/waybill/<variable>` while steps run. */
  readonly files: Readonly<Record<string, string>>;
  /** For `RUN --mount=type=secret`: never in a command line, a file of a disk, or a log. */
  readonly secrets: Readonly<Record<string, string>>;
  /** No layer of an earlier build is used. */
  readonly fresh: boolean;
  /**
   * OCI's own form has no place for SHELL and HEALTHCHECK, and drops them with a warning. It has none for ONBUILD either: with Docker's
   * an image of such triggers would run them when it is unpacked.
   */
  readonly format: "docker" | "oci";
}

type Argv = readonly [string, ...string[]];

/** What a builder needs and this machine does not have. */
export const installEngine =
  "images are made with buildah or podman, and this node has neither; on Debian: apt-get install buildah";

/** The first version of each that reads here-documents. */
export const hereDocumentsSince: Readonly<Record<Engine["name"], string>> = { buildah: "1.33", podman: "4.8" };

/** Whether a version, as an engine tells it, is that one or a later one. */
export function isSince(version: string, since: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = since.split(".").map(Number);
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

const engines = ["buildah", "podman"] as const;
/** Where distributions put them: the engine must be below /usr, which is all that a sandbox has. */
const folders = ["/usr/bin", "/usr/local/bin"];
/** Limits that a build step of an engine asks for; it is refused the larger ones that it would take by itself. */
const openFiles = 1_024;
/**
 * What a step's root may do beside owning files and being other users, which is what apt, pip and npm take: end processes of those
 * users, and give files capabilities. Not `SYS_CHROOT`, with which a step can leave the `chroot` that it is in.
 */
const capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID"];

/** The first engine that is here; null where there is none. */
export function findEngine(look: (path: string) => boolean = existsSync): Engine | null {
  for (const name of engines)
    for (const folder of folders) if (look(join(folder, name))) return { name, path: join(folder, name) };
  return null;
}

/**
 * Writes `/etc/containers` as the engine sees it. Names without a registry are Docker Hub's, as on Spaces; signatures are not
 * asked for, as no registry of the public ones has any by default.
 */
export async function configureEngine(folder: string, storage: { driver: StorageDriver; root: string }): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = {
    "storage.conf": `[storage]\ndriver = "${storage.driver}"\nrunroot = "/run/containers"\ngraphroot = ${JSON.stringify(storage.root)}\n`,
    "registries.conf": 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n',
    "policy.json": '{ "default": [{ "type": "insecureAcceptAnything" }] }\n',
    "containers.conf": '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** Ends with 0 where an overlay can be mounted in `folder`. */
export function overlayTrial(folder: string): Argv {
  const script =
    'set -e; mkdir -p "$1"; cd "$1"; mkdir l u w m; trap \'cd /; rm -rf "$1"\' EXIT; mount -t overlay -o userxattr,lowerdir=l,upperdir=u,workdir=w overlay m; umount m';
  return ["/bin/sh", "-c", script, "sh", folder];
}

/** The image's configuration as JSON, on standard output; another exit code than 0 where the engine has no such image. */
export function inspectCommand({ name, path }: Engine, image: string, into: string): Argv {
  const argv = name === "buildah" ? ["inspect", "--type", "image"] : ["image", "inspect"];
  return ["/bin/sh", "-c", 'out="$1"; shift; exec "$@" > "$out" 2>/dev/null', "sh", into, path, ...argv, image];
}

export function pullCommand({ path }: Engine, image: string): Argv {
  return [path, "pull", "--quiet", image];
}

/** Loads the first image of an archive, as `docker save`, `podman save` or `skopeo copy` wrote it, and gives it a name. */
export function loadCommand({ path }: Engine, archive: string, name: string): Argv {
  const script = [
    "for form in oci-archive docker-archive; do",
    '  if id=$("$1" pull --quiet "$form:$2" 2> /var/tmp/said); then exec "$1" tag "$id" "$3"; fi',
    '  while read -r line; do echo "as $form: $line" >&2; done < /var/tmp/said',
    "done; exit 1",
  ].join("\n");
  return ["/bin/sh", "-c", script, "sh", path, archive, name];
}

/** Builds the app's Dockerfile. Every image that it needs is there by then, so that nothing is pulled. */
export function buildCommand(
  { path }: Engine,
  into: string,
  { variables, files, secrets, fresh, format }: BuildInputs,
): Argv {
  return [
    path,
    ...["build", "--layers", "--pull=never", "--isolation", "chroot", "--network", "host", "--file", "Dockerfile"],
    ...["--format", format, "--cap-drop", "all", ...capabilities.flatMap((name) => ["--cap-add", name])],
    ...["--ulimit", `nofile=${openFiles}:${openFiles}`, "--iidfile", into],
    ...(fresh ? ["--no-cache"] : []),
    ...Object.entries(variables).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    ...Object.entries(files).flatMap(([name, path]) => ["--volume", `${path}:${fileInside(name)}:ro`]),
    ...Object.keys(secrets).flatMap((name) => ["--secret", `id=${name},env=${secretVariable(name)}`]),
    ".",
  ];
}

/** Where steps find the file that a variable names. */
export function fileInside(name: string): string {
  return `/run/waybill/${name}`;
}

/** The variable in which the engine finds a secret: an owner's name for one must not become a variable that the engine goes by. */
export function secretVariable(name: string): string {
  return `WAYBILL_BUILD_SECRET_${name}`;
}

/**
 * Writes the image's files into a folder that does not exist yet. They come to belong to one user, without set-user-ID and the
 * like; device nodes are left out. What a sandbox mounts on is there and is what it should be, whatever links the image had there.
 */
export function unpackCommand({ name, path }: Engine, image: string, folder: string): Argv {
  const mount =
    name === "buildah" ? 'c=$("$1" from --pull-never "$2"); m=$("$1" mount "$c")' : 'm=$("$1" image mount "$2")';
  const unmount = name === "buildah" ? '"$1" rm "$c" > /dev/null' : '"$1" image umount "$2" > /dev/null';
  const script = [
    "set -e",
    mount,
    'mkdir "$3"',
    'tar -C "$m" --one-file-system --exclude="./dev/*" --exclude="./proc/*" --exclude="./sys/*" --mode=ug-s,u+rwX -cf - . | tar -C "$3" --no-same-owner -xf -',
    unmount,
    ...mountPoints.map((at) => `[ -d "$3/${at}" ] && [ ! -L "$3/${at}" ] || { rm -rf "$3/${at}"; mkdir "$3/${at}"; }`),
    ...mountedFiles.map((at) => `rm -rf "$3/${at}"; : > "$3/${at}"`),
  ].join("\n");
  return ["/bin/sh", "-c", script, "sh", path, image, folder];
}

/** In the order in which they are made. */
const mountPoints = ["proc", "dev", "sys", "tmp", "data", "scratch", "run", "etc"];
const mountedFiles = ["etc/resolv.conf", "etc/hosts", "run/waybill-cgroup", "run/waybill-init"];
