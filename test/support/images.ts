/** Images without a registry: a base of Debian's packages, made once for each machine, and archives as `skopeo copy` writes them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { goArch } from "../../src/build/docker/image-config.ts";

/** Python with pip, and certificates; the rest is what every Debian has. */
const recipe = ["--variant=minbase", "--mode=auto", "--include=python3,python3-pip,ca-certificates", "bookworm"];
/** Half a minute, where Debian's mirror is near. */
const baseWithinMs = 900_000;

/** The base's archive. Made anew when the recipe or the machine's architecture is another. */
export async function baseArchive(): Promise<string> {
  const key = createHash("sha256")
    .update(JSON.stringify([recipe, process.arch, 2]))
    .digest("hex")
    .slice(0, 16);
  const folder = join(process.env["WAYBILL_TOOLS"] ?? join(homedir(), ".cache", "waybill"), "test-images");
  const archive = join(folder, `base-${key}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, "making-"));
  try {
    const root = join(work, "root.tar");
    const [last = "", ...options] = recipe.toReversed();
    execFileSync("mmdebstrap", [...options.toReversed(), last, root], { timeout: baseWithinMs, stdio: "pipe" });
    await writeArchive(join(work, "base.tar"), { layer: root, config: { Cmd: ["/bin/bash"] } });
    renameSync(join(work, "base.tar"), archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return archive;
}

/** Unpacks an archive that {@link writeArchive} made: its one layer's files in a folder, all of them this user's. */
export function unpackArchive(archive: string, folder: string): void {
  const read = (path: string): string => execFileSync("tar", ["-xOf", archive, path], { encoding: "utf8" });
  const blob = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
  const index = JSON.parse(read("index.json")) as { manifests: [{ digest: string }] };
  const manifest = JSON.parse(read(blob(index.manifests[0].digest))) as { layers: [{ digest: string }] };
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const script = 'tar -xOf "$1" "$2" | tar -C "$3" --no-same-owner --exclude="./dev/*" -xf - && chmod -R u+rwX "$3"';
  execFileSync("sh", ["-c", script, "sh", archive, blob(manifest.layers[0].digest), folder]);
}

/**
 * A tar file with a shell and a few programs of this machine's, in `folder`: enough for steps of a build, made at once. `files` are
 * put beside, name → text.
 */
export function tinyLayer(folder: string, files: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(folder, "tiny-"));
  for (const name of ["usr/bin", "etc", "tmp"]) mkdirSync(join(root, name), { recursive: true });
  symlinkSync("usr/bin", join(root, "bin"));
  for (const program of programs) {
    const file = realpathSync(`/usr/bin/${program}`);
    copyFileSync(file, join(root, "usr/bin", program));
    bringLibraries(root, file);
  }
  symlinkSync("dash", join(root, "usr/bin/sh"));
  for (const [name, text] of Object.entries({ "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text, { mode: 0o755 });
  }
  const layer = `${root}.tar`;
  execFileSync("tar", ["-C", root, "--owner=0", "--group=0", "--numeric-owner", "-cf", layer, "."]);
  return layer;
}

/** Copies what a program of this machine is linked with, and `root` lacks, to where it is here. */
export function bringLibraries(root: string, program: string): void {
  for (const library of librariesOf(program)) {
    if (existsSync(join(root, library))) continue;
    mkdirSync(dirname(join(root, library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
}

const programs = [
  "dash",
  "cat",
  "dd",
  "sleep",
  "ls",
  "ln",
  "id",
  "mkdir",
  "touch",
  "chmod",
  "seq",
  "head",
  "tail",
  "grep",
  "stat",
  "mknod",
  "chown",
];

function librariesOf(file: string): readonly string[] {
  const said = execFileSync("ldd", [file], { encoding: "utf8" });
  return [...said.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path as string);
}

export interface ImageOptions {
  /** A tar file: the image's one layer. */
  readonly layer: string;
  /** As Go names it; this machine's where it is not said. */
  readonly arch?: string;
  /** The `config` of an OCI image configuration. */
  readonly config?: object;
  /** When its one layer was made (RFC 3339), which OCI lets an image leave out. */
  readonly created?: string;
}

/** Writes an OCI archive of an image with one layer. */
export async function writeArchive(
  file: string,
  { layer, arch = goArch(process.arch), config = {}, created }: ImageOptions,
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "wb-image-"));
  try {
    const blobs = join(work, "blobs", "sha256");
    mkdirSync(blobs, { recursive: true });
    const hash = createHash("sha256");
    await pipeline(createReadStream(layer), hash);
    const digest = hash.digest("hex");
    place(layer, join(blobs, digest));
    const json = (mediaType: string, value: object): object => {
      const text = JSON.stringify(value);
      const its = createHash("sha256").update(text).digest("hex");
      writeFileSync(join(blobs, its), text);
      return { mediaType, digest: `sha256:${its}`, size: text.length };
    };
    const of = "application/vnd.oci.image";
    const rootfs = { type: "layers", diff_ids: [`sha256:${digest}`] };
    const configuration = json(`${of}.config.v1+json`, {
      architecture: arch,
      os: "linux",
      config,
      rootfs,
      history: [{ created, created_by: "waybill tests" }],
    });
    const layers = [{ mediaType: `${of}.layer.v1.tar`, digest: `sha256:${digest}`, size: statSync(layer).size }];
    const manifest = json(`${of}.manifest.v1+json`, { schemaVersion: 2, config: configuration, layers });
    writeFileSync(join(work, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
    writeFileSync(join(work, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    execFileSync("tar", ["-C", work, "-cf", file, "oci-layout", "index.json", "blobs"]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function place(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    copyFileSync(from, to);
  }
}
