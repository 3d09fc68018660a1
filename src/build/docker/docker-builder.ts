/**
 * Builds Docker Spaces: the images that the Dockerfile begins with are fetched, an engine builds it in the build's bench, and the
 * image's files are unpacked once, for the sandbox of all its replicas.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Code } from "../../evidence/codes.ts";
import { spaceOwner } from "../../contract/space.ts";
import type { SpaceSettings } from "../front-matter.ts";
import type { Runnable } from "../node-builder.ts";
import { readSmall } from "../small-file.ts";
import { BuildFailure, becauseMax, type ImageTools, type Workshop } from "../workshop.ts";
import { goneMark } from "../gone.ts";
import {
  declared,
  hereDocument,
  lineOfStep,
  platformArguments,
  readDockerfile,
  stepIn,
  type BaseImage,
  type Instruction,
  type Step,
} from "./dockerfile.ts";
import {
  buildCommand,
  configureEngine,
  fileInside,
  hereDocumentsSince,
  inspectCommand,
  installEngine,
  isSince,
  loadCommand,
  overlayTrial,
  pullCommand,
  secretVariable,
  unpackCommand,
  type BuildInputs,
  type Engine,
} from "./engine.ts";
import { fullName, goArch, parseInspected, usersOf, type ImageConfig } from "./image-config.ts";
import { checkImagePackages } from "./image-packages.ts";
import { findProgram, readInside, resolveInside } from "./inside.ts";
import { keepRoot, rootOf, storesOf } from "./roots.ts";

/** A Docker Space's builder at work. */
interface Kit {
  readonly engine: Engine;
  readonly tools: ImageTools;
  readonly inputs: Omit<BuildInputs, "format">;
  /** Where this owner's images and layers are. */
  readonly store: string;
}

/** No registry is asked for these: they are the node's own. */
const localPrefix = "localhost/";
/** Names that an ARG or a secret's `id` can have. */
const plainName = /^[A-Za-z_]\w*$/;
const inspectedName = "image.json";
/** Every image's app is this user, as on Spaces. */
const runsAs = 1_000;

export async function buildDocker(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const { tools } = shop;
  if (tools.images === undefined)
    throw new BuildFailure(
      "build/no-builder",
      "an image's app runs in a sandbox only, and this node has none (--sandbox none)",
    );
  if (tools.images.engine === null) throw new BuildFailure("build/no-builder", installEngine);
  const inputs = inputsOf(shop);
  const { instructions, bases } = await read(shop, inputs);
  const kit = await open(shop, tools.images, tools.images.engine, inputs);
  using _held = holdStore(kit.tools.known.users, kit.store);
  await refuseHereDocument(shop, kit, instructions);
  const { config, root } = await image(shop, kit, { instructions, bases });
  return await shop.step("check", () => check(shop, settings, config, root));
}

/** What the image is, and where its files are; its owner's layers are within their bound then, also where it fails. */
async function image(
  shop: Workshop,
  kit: Kit,
  { instructions, bases }: { readonly instructions: readonly Instruction[]; readonly bases: readonly BaseImage[] },
): Promise<{ readonly config: ImageConfig; readonly root: string }> {
  try {
    const provided = await shop.step("base", () => provideBases(shop, kit, bases));
    const id = await shop.step("build", () => buildImage(shop, kit, instructions, provided));
    const config = await shop.step("inspect", () => inspect(shop, kit, id));
    return { config, root: await shop.step("unpack", () => unpack(shop, kit, config)) };
  } finally {
    await boundStore(shop, kit);
  }
}

function inputsOf({ spec, tools }: Workshop): Kit["inputs"] {
  const plain = (values: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(values).filter(([name]) => plainName.test(name)));
  // The operator's, for indexes and certificates, are given to a Dockerfile that asks for them by ARG.
  const operators = plain(tools.env);
  const files = Object.fromEntries(
    Object.entries(operators).filter(([, value]) => value.startsWith("/") && existsSync(value)),
  );
  const inside = Object.fromEntries(Object.keys(files).map((name) => [name, fileInside(name)]));
  return {
    variables: { ...platformArguments(goArch(process.arch)), ...operators, ...inside, ...plain(spec.variables) },
    files,
    secrets: plain(spec.secrets),
    fresh: spec.factory === true,
  };
}

async function read(
  shop: Workshop,
  { variables }: Kit["inputs"],
): Promise<{ readonly instructions: readonly Instruction[]; readonly bases: readonly BaseImage[] }> {
  const text = await readSmall(shop.app, "Dockerfile");
  if (text === undefined)
    throw new BuildFailure(
      "build/config-invalid",
      "the commit has no Dockerfile, which says how the image of a Docker Space is made",
    );
  const file = readDockerfile(text, variables);
  if (file.ok) return file;
  for (const problem of file.problems) shop.note(problem);
  throw new BuildFailure("build/config-invalid", file.problems[0] ?? "", file.problems.slice(0, becauseMax));
}

async function open(shop: Workshop, tools: ImageTools, engine: Engine, inputs: Kit["inputs"]): Promise<Kit> {
  const stores = storesOf(shop.tools.folder, spaceOwner(shop.spec.space));
  const containers = join(shop.work, "in", "containers");
  await mkdir(containers, { recursive: true });
  shop.images = { containers, stores, temporary: join(shop.work, "tmp") };
  if (tools.archives !== null) shop.needs.push(tools.archives);
  tools.known.driver ??= await shop
    .run(overlayTrial(join(stores, `.trial-${shop.spec.build}`)), shop.limits.buildMs, { quiet: true })
    .then(
      () => "overlay",
      () => "vfs",
    );
  const { driver } = tools.known;
  const store = join(stores, driver);
  await configureEngine(containers, { driver, root: store });
  shop.note(`${engine.name}, layers by ${driver}`);
  await shop.give(store);
  return { engine, tools, inputs, store };
}

/** An engine without here-documents runs `<<EOF` as a command, which does nothing, and takes the lines below for instructions. */
async function refuseHereDocument(
  shop: Workshop,
  { engine }: Kit,
  instructions: readonly Instruction[],
): Promise<void> {
  const found = hereDocument(instructions);
  if (found === undefined) return;
  let version = "";
  const onLine = (text: string): void => void (version ||= /\d+\.\d+[.\w-]*/.exec(text)?.[0] ?? "");
  await shop.run([engine.path, "--version"], shop.limits.buildMs, { quiet: true, onLine });
  const since = hereDocumentsSince[engine.name];
  if (isSince(version, since)) return;
  const says = `Dockerfile line ${found.line}: a here-document (<<) takes ${engine.name} ${since} or later, and this node has ${version}: write the lines with && and \\, or COPY a file`;
  shop.note(says);
  throw new BuildFailure("build/config-invalid", says, [says]);
}

/** Every image that the Dockerfile begins with is here when this resolves, and is for this machine. */
async function provideBases(shop: Workshop, kit: Kit, bases: readonly BaseImage[]): Promise<readonly ImageConfig[]> {
  const provided: ImageConfig[] = [];
  for (const base of bases) {
    const at = `Dockerfile line ${base.line}`;
    const known =
      (await loadArchive(shop, kit, base.name)) || !kit.inputs.fresh
        ? await inspected(shop, kit, base.name)
        : undefined;
    if (known === undefined && base.name.startsWith(localPrefix))
      throw new BuildFailure("build/base-missing", `${at}: ${noLocal(kit, base.name)}`);
    if (known === undefined) await pull(shop, kit, base);
    const config = known ?? (await inspected(shop, kit, base.name));
    if (config === undefined)
      throw new BuildFailure("build/base-missing", `${at}: ${base.name} was fetched, and is not there`);
    fitsHere(config, `${at}: image ${base.name}`);
    shop.note(`image ${base.name}: ${config.id.slice(0, shownOfId)}`);
    provided.push(config);
  }
  if (bases.length === 0) shop.note("no image is needed beside this one");
  return provided;
}

const shownOfId = 12;

async function pull(shop: Workshop, kit: Kit, { name, line }: BaseImage): Promise<void> {
  try {
    await shop.run(pullCommand(kit.engine, name), shop.limits.installMs, { quiet: true });
  } catch (error) {
    if (!(error instanceof BuildFailure) || error.code !== "build/step-failed") throw error;
    const said = error.because.findLast((text) => text !== "") ?? error.message;
    const code: Code = unreachable.test(said) ? "build/registry-unreachable" : "build/base-missing";
    throw new BuildFailure(
      code,
      `Dockerfile line ${line}: image ${name} could not be fetched: ${wordsOf(said)}`,
      error.because,
      { cause: error },
    );
  }
}

/** What engines say where a registry did not answer, and not that it has no such image. */
const unreachable =
  /dial tcp|no such host|i\/o timeout|connection re(fused|set)|TLS handshake|x509|network is unreachable|server misbehaving|deadline exceeded|unexpected EOF|Bad Gateway|Service Unavailable|: EOF$/i;

/** Loads the operator's archive of that name, unless this owner has it as it is now; false where there is none. */
async function loadArchive(shop: Workshop, kit: Kit, name: string): Promise<boolean> {
  const archive = archiveOf(kit, name);
  const found = archive === null ? undefined : await stat(archive).catch(absent);
  if (archive === null || !found?.isFile()) return false;
  const mark = `${found.ino}-${found.size}-${found.mtimeMs}`;
  const file = loadedFile(kit);
  const loaded = JSON.parse((await readFile(file, "utf8").catch(absent)) ?? "{}") as Record<string, string>;
  if (loaded[name] === mark && (await inspected(shop, kit, name)) !== undefined) return true;
  shop.note(`loads image ${name} from the node's ${archive.split("/").at(-1)}`);
  const command = loadCommand(kit.engine, archive, fullName(name));
  await shop.run(command, shop.limits.installMs, { quiet: true }).catch((error: unknown) => {
    if (!(error instanceof BuildFailure) || error.code !== "build/step-failed") throw error;
    const says = `the node's archive of image ${name} could not be loaded: ${error.because.join("; ")}`;
    throw new BuildFailure("build/base-missing", says, error.because, { cause: error });
  });
  await writeFile(file, JSON.stringify({ ...loaded, [name]: mark }));
  return true;
}

/** Outside of what commands may write. */
function loadedFile({ store }: Kit): string {
  return join(dirname(dirname(store)), `loaded-${basename(store)}.json`);
}

/** `localhost/mine` is `mine.tar`, `python:3.11-slim` is `python-3.11-slim.tar`, `ghcr.io/a/b:1` is `ghcr.io_a_b-1.tar`. */
function archiveOf({ tools }: Kit, name: string): string | null {
  const file = fullName(name)
    .replace(/^localhost\/|^docker\.io\/(library\/)?/, "")
    .replace(/:latest$/, "")
    .replaceAll("/", "_")
    .replaceAll(":", "-");
  return tools.archives === null || !/^[\w.-]+$/.test(file) ? null : join(tools.archives, `${file}.tar`);
}

function noLocal(kit: Kit, name: string): string {
  const archive = archiveOf(kit, name);
  return archive === null
    ? `this node has no image ${name}, and no folder with archives of images (WAYBILL_IMAGES)`
    : `this node has no image ${name}: there is no ${archive.split("/").at(-1)} among its archives`;
}

async function buildImage(
  shop: Workshop,
  kit: Kit,
  instructions: readonly Instruction[],
  bases: readonly ImageConfig[],
): Promise<string> {
  const { engine } = kit;
  const asked = <T>(values: Readonly<Record<string, T>>): Readonly<Record<string, T>> => askedFor(values, instructions);
  const inputs = { ...kit.inputs, variables: asked(kit.inputs.variables), files: asked(kit.inputs.files) };
  const names = [...Object.keys(inputs.variables), ...Object.keys(inputs.secrets)];
  shop.note(
    `$ ${engine.name} build, ${instructions.length} instructions${names.length === 0 ? "" : `, with ${names.join(", ")}`}`,
  );
  const env = Object.fromEntries(Object.entries(inputs.secrets).map(([name, value]) => [secretVariable(name), value]));
  let step: Step | undefined;
  try {
    const command = buildCommand(engine, shop.output("id"), { ...inputs, format: formatOf(instructions, bases) });
    await shop.run(command, shop.limits.buildMs, {
      env,
      quiet: true,
      onLine: (text) => (step = stepIn(text) ?? step),
    });
  } catch (error) {
    throw error instanceof BuildFailure ? located(error, step, instructions) : error;
  }
  return (await shop.made("id")).trim();
}

/**
 * Docker's, but for triggers, and for bases without times: an engine puts a time of its own there in Docker's form, and then finds no
 * layer of an earlier build. Such a base is in OCI's form, so that it has no SHELL or HEALTHCHECK to lose; the Dockerfile may.
 */
function formatOf(instructions: readonly Instruction[], bases: readonly ImageConfig[]): BuildInputs["format"] {
  const has = (...keywords: readonly string[]): boolean =>
    instructions.some(({ keyword }) => keywords.includes(keyword));
  if (has("ONBUILD")) return "oci";
  return has("SHELL", "HEALTHCHECK") || bases.every(({ dated }) => dated) ? "docker" : "oci";
}

/** Those that an ARG names: an engine warns of all others. */
function askedFor<T>(
  values: Readonly<Record<string, T>>,
  instructions: readonly Instruction[],
): Readonly<Record<string, T>> {
  const args = instructions.filter(({ keyword }) => keyword === "ARG");
  const asked = args.flatMap((one) => declared(one).map(([name]) => name));
  return Object.fromEntries(Object.entries(values).filter(([name]) => asked.includes(name)));
}

/** The failure with the Dockerfile's line, and the engine's words for why. */
function located(error: BuildFailure, step: Step | undefined, instructions: readonly Instruction[]): BuildFailure {
  const line = step && lineOfStep(instructions, step);
  const one = instructions.find((instruction) => instruction.line === line);
  if (one === undefined) return error;
  const at = `Dockerfile line ${one.line}: ${one.keyword} ${shortened(one.text)}`;
  const said = error.because.findLast((text) => text.startsWith("Error: ")) ?? "";
  const isOther = /exec format error/i.test(error.because.join("\n"));
  const says = error.code === "build/step-failed" ? wordsOf(said) || error.message : error.message;
  const code: Code = error.code === "build/step-failed" && isOther ? "runtime/image-arch" : error.code;
  const because = [at, ...error.because.filter((text) => text !== said), says].slice(0, becauseMax);
  return new BuildFailure(code, `${at}: ${says}`, because, { cause: error, exitCode: error.exitCode });
}

/** Of `Error: building at STEP "RUN x": while running runtime: exit status 2` what comes after the step. */
function wordsOf(said: string): string {
  return said
    .replace(/^Error: (?:building at STEP "(?:[^"\\]|\\.)*": )?/, "")
    .replace(/^while running runtime: /, "")
    .slice(0, saidMaxLength);
}

const saidMaxLength = 500;

async function inspect(shop: Workshop, kit: Kit, id: string): Promise<ImageConfig> {
  const config = await inspected(shop, kit, id);
  if (config === undefined)
    throw new BuildFailure("build/step-failed", "the engine built an image and does not know it");
  fitsHere(config, "the image");
  return config;
}

/** What the engine knows of an image; undefined where it has none of that name. */
async function inspected(shop: Workshop, { engine }: Kit, image: string): Promise<ImageConfig | undefined> {
  await rm(shop.output(inspectedName), { force: true });
  try {
    await shop.run(inspectCommand(engine, image, shop.output(inspectedName)), shop.limits.buildMs, { quiet: true });
  } catch (error) {
    if (error instanceof BuildFailure && error.code === "build/step-failed") return undefined;
    throw error;
  }
  return parseInspected(await shop.made(inspectedName));
}

function fitsHere({ arch, os }: ImageConfig, which: string): void {
  const here = goArch(process.arch);
  if (arch === here && os === "linux") return;
  const says = `${which} is for ${os}/${arch}, and this node is linux/${here}`;
  throw new BuildFailure("runtime/image-arch", says, [says]);
}

/** The folder with the image's files: one that a release of this Space has already, where it is the same image. */
async function unpack(shop: Workshop, kit: Kit, { id }: ImageConfig): Promise<string> {
  const { folder } = shop.tools;
  const root = rootOf(folder, shop.spec.space, id);
  if ((await stat(root).catch(absent)) !== undefined) {
    shop.note("nothing to unpack: this image's files are there");
    return root;
  }
  await shop.run(unpackCommand(kit.engine, id, shop.output("root")), shop.limits.buildMs, { quiet: true });
  await keepRoot(shop.output("root"), root);
  return root;
}

/**
 * Layers of what was once built, or begun, add up: when they are more than an owner may keep, and no other build uses them, the next
 * build begins without. In the bench, whose users the files belong to; where it fails, how the build ended stays as it is.
 */
async function boundStore(shop: Workshop, { store, tools }: Kit): Promise<void> {
  if (tools.known.users.get(store) !== 1) return;
  const kib = String(Math.floor(tools.maxBytes / 1024));
  try {
    const argv = ["sh", "-ec", boundScript, "sh", dirname(store), basename(store), kib, goneMark] as const;
    const had = (await shop.runLast(argv, boundWithinMs)).trim();
    if (had !== "")
      shop.note(
        `the layers of this owner's builds have ${Math.ceil(Number(had) / 1024)} MiB: the next one makes its own anew`,
      );
  } catch (error) {
    shop.trouble(`the layers of this owner's builds could not be held to their bound: ${(error as Error).message}`);
  }
}

/** Prints the KiB that the store has where that is too much, and removes it; before that, what was left of an earlier removal. */
const boundScript = `
cd "$1"
rm -rf -- *"$4"* .trial-*
had=$(du -sk "$2" | cut -f1)
[ "$had" -gt "$3" ] || exit 0
echo "$had"
mv "$2" "$2$4$$"
rm -rf -- "$2$4$$"
`;
/** For some hundred thousand files. */
const boundWithinMs = 120_000;

/** Counts the builds that use a store, until it is disposed of. */
function holdStore(users: Map<string, number>, store: string): Disposable {
  const change = (by: number): void => void users.set(store, (users.get(store) ?? 0) + by);
  change(1);
  return { [Symbol.dispose]: () => change(-1) };
}

async function check(shop: Workshop, settings: SpaceSettings, config: ImageConfig, root: string): Promise<Runnable> {
  const { entrypoint, command, env, workdir, user, ports, arch, id } = config;
  const argv = [...entrypoint, ...command];
  const [program] = argv;
  if (program === undefined)
    throw new BuildFailure(
      "build/config-invalid",
      'the image has no command: end the Dockerfile with CMD, as CMD ["python3", "app.py"]',
    );
  const found = await findProgram(root, program, { path: env["PATH"] ?? "", workdir, arch });
  if (!found.ok)
    throw new BuildFailure(found.why === "wrong-arch" ? "runtime/image-arch" : "build/config-invalid", found.says, [
      found.says,
    ]);
  if ((await resolveInside(root, workdir)) === undefined)
    throw new BuildFailure("build/config-invalid", `the image's WORKDIR ${workdir} is not in it`);
  const users = usersOf(await readInside(root, "/etc/passwd"));
  const home = env["HOME"] || users.find(({ uid }) => uid === runsAs)?.home || "/";
  const itsUser = user.split(":")[0] || "root";
  const isOther = itsUser !== String(runsAs) && users.find(({ name }) => name === itsUser)?.uid !== runsAs;
  const port = settings.portGiven || ports.length !== 1 ? settings.appPort : (ports[0] as number);
  if (ports.length > 0 && !ports.includes(port))
    shop.note(`warning: the image exposes ${ports.join(", ")}, and visitors come to ${port} (app_port)`);
  shop.note(
    `starts with: ${argv.join(" ")}, in ${workdir}, as user ${runsAs}${isOther ? `, whom the image's USER (${itsUser}) does not name` : ""}`,
  );
  shop.note(
    `listens on port ${port} (${settings.portGiven ? "app_port" : ports.length === 1 ? "EXPOSE" : "the usual one"}), which PORT has too`,
  );
  if (shop.tools.images?.hasDriver !== true && asksForCard(shop, settings)) shop.note(`warning: ${noDriver}`);
  const runtime = await checkImagePackages(shop, root, { argv, workdir });
  // What ran in the build is in the image; what is only in the commit is not needed any more.
  await rm(shop.app, { recursive: true, force: true });
  await mkdir(shop.app);
  const facts = runtime === undefined ? {} : { runtime };
  return { argv, staticFolder: ".", env: { ...env, HOME: home }, image: { id, root, workdir }, port, ...facts };
}

/** Its README names hardware with a card, or the pool has real ones, which its packages are compared with. */
function asksForCard({ spec }: Workshop, { suggestedHardware }: SpaceSettings): boolean {
  const named = suggestedHardware !== null && !suggestedHardware.startsWith("cpu-");
  return named || (spec.cards ?? []).some(({ simulated }) => !simulated);
}

/** A driver's libraries fit one driver only, so an image cannot bring them. */
const noDriver =
  "this node has no driver libraries to give to an image's app (libcuda.so.1, nvidia-smi), for `ldconfig -p` lists none: CUDA finds no card in it, and it runs on the processor. Where they lie elsewhere, the operator names their folder with WAYBILL_DRIVER_FOLDER";

function shortened(text: string): string {
  const one = text.replaceAll(/\s*\\?\s+/g, " ").trim();
  return one.length > textShown ? `${one.slice(0, textShown - 1)}…` : one;
}

const textShown = 120;

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}
