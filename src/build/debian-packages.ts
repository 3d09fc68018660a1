/**
 * The Debian packages of an app's packages.txt, without root: fetched by apt from the machine's own sources, unpacked into an
 * environment of the owner's, and laid over the machine's /usr for the build and for the app. No script of theirs runs; what those
 * would tell update-alternatives is done.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { alternativesIn, blamedPackages, parsePackagesFile, type DebianPackage } from "./debian.ts";
import { BuildFailure } from "./failure.ts";
import { readSmall } from "./small-file.ts";
import { becauseMax, type Workshop } from "./workshop.ts";

const file = "packages.txt";
const programs = ["/usr/bin/apt-get", "/usr/bin/dpkg-deb"];
/** What the machine has already: apt fetches the rest. */
const status = "/var/lib/dpkg/status";
/** Where packages come from and who signs them; never apt's credentials. */
const sources = ["sources.list", "sources.list.d", "trusted.gpg", "trusted.gpg.d", "preferences", "preferences.d"].map(
  (name) => `/etc/apt/${name}`,
);
/** On a merged system these lead into /usr, and so must what is unpacked. */
const merged = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/** Fetches into $1 what $2… need beside what is here. Its lists are this build's own: no other build writes them meanwhile. */
const fetchScript = `set -e
into="$1"; shift
mkdir -p "$into/lists/partial" "$into/archives/partial" "$into/cache" "$into/parts"
export APT_CONFIG="$into/apt.conf"
cat > "$APT_CONFIG" <<END
Dir::Etc::Parts "$into/parts";
Dir::State::Lists "$into/lists";
Dir::State::Extended_States "$into/extended";
Dir::Cache "$into/cache";
Dir::Cache::Archives "$into/archives";
Debug::NoLocking "true";
APT::Sandbox::User "";
Acquire::Languages "none";
END
apt-get -q update
apt-get -q --yes --no-remove --download-only install "$@"
`;
/** Unpacks the archives in $1 into $2, and gathers their scripts in $3. */
const unpackScript = `set -e
archives="$1"; into="$2"; scripts="$3"
mkdir -p "$into/usr"; : > "$scripts"
for name in ${merged.join(" ")}; do
  [ -L "/$name" ] || continue
  mkdir -p "$into/usr/$name"; ln -s "usr/$name" "$into/$name"
done
for deb in "$archives"/*.deb; do
  [ -e "$deb" ] || continue
  dpkg-deb -x "$deb" "$into"
  rm -rf "$archives/control"; dpkg-deb -e "$deb" "$archives/control"
  [ ! -f "$archives/control/postinst" ] || { cat "$archives/control/postinst"; echo; } >> "$scripts"
  rm "$deb"
done
`;
/** Of pairs LINK TARGET on its lines: those whose target is there, and whose link the machine has not. */
const linkScript = `set -e
into="$1"
while read -r link target; do
  [ -e "$into$target" ] || [ -e "$target" ] || continue
  [ ! -e "$into$link" ] && [ ! -e "$link" ] || continue
  mkdir -p "$into$(dirname "$link")"; ln -sfn "$target" "$into$link"
done < "$2"
`;

/**
 * The step `packages`: the folder with all that packages.txt needs, which from now on commands have too. Undefined where it asks for
 * nothing. What it needs of the machine must be known when the first command runs, so it comes before that.
 */
export async function provideDebian(shop: Workshop): Promise<string | undefined> {
  const text = await readSmall(shop.app, file);
  if (text === undefined) return undefined;
  return shop.step("packages", async () => {
    const packages = wanted(shop, text);
    if (packages.length === 0) return undefined;
    shop.needs.push(...[status, ...sources].filter((path) => existsSync(path)));
    const name = await nameOf(packages);
    const { path, made } = await shop.environment(name, (into) => fetchAndUnpack(shop, packages, into));
    if (!made) shop.note("nothing to fetch: these Debian packages are there");
    const says = await shop.lay(path);
    if (says === null) return path;
    throw new BuildFailure("build/no-builder", `packages cannot be laid over this node's: ${says}`, [says]);
  });
}

/** What is asked for; nothing, and that is said, where no packages can be had. */
function wanted(shop: Workshop, text: string): readonly DebianPackage[] {
  const parsed = parsePackagesFile(text);
  if (!parsed.ok) {
    const [first = ""] = parsed.problems;
    throw new BuildFailure("build/config-invalid", first, parsed.problems.slice(0, becauseMax));
  }
  if (parsed.packages.length > 0 && !shop.tools.benches.layers) {
    shop.note(`${file} is not read: without a sandbox an app has the Debian packages of its node, and no others`);
    return [];
  }
  const missing = programs.find((program) => !existsSync(program));
  if (missing === undefined || parsed.packages.length === 0) return parsed.packages;
  const says = `${file} asks for Debian packages, and this node is no Debian: there is no ${missing}`;
  throw new BuildFailure("build/no-builder", says, [says]);
}

async function fetchAndUnpack(shop: Workshop, packages: readonly DebianPackage[], into: string): Promise<void> {
  const names = packages.map(({ name }) => name);
  const [fetched, scripts] = [shop.output("apt"), shop.output("postinst")];
  const { installMs } = shop.limits;
  shop.note(`$ apt-get install ${names.join(" ")}`);
  try {
    await shop.run(["sh", "-c", fetchScript, "sh", fetched, ...names], installMs, { quiet: true });
  } catch (error) {
    if (!(error instanceof BuildFailure) || error.code !== "build/step-failed") throw error;
    const because = [...blamedPackages(error.because, packages), ...error.because];
    throw new BuildFailure(error.code, error.message, because, { cause: error, exitCode: error.exitCode });
  }
  const archives = join(fetched, "archives");
  await shop.run(["sh", "-c", unpackScript, "sh", archives, into, scripts], installMs, { quiet: true });
  const links = alternativesIn(await shop.made("postinst")).map(({ link, target }) => `${link} ${target}\n`);
  const list = await shop.input("alternatives", links.join(""));
  await shop.run(["sh", "-c", linkScript, "sh", into, list], installMs, { quiet: true });
}

/** The same packages beside the same ones of the machine. */
async function nameOf(packages: readonly DebianPackage[]): Promise<string> {
  const hash = createHash("sha256").update(await readFile(status));
  for (const name of packages.map((one) => one.name).toSorted()) hash.update(`\0${name}`);
  return `debian-${hash.digest("hex").slice(0, 32)}`;
}
