/**
 * Builds Gradio Spaces: an environment of their packages, and a look at the app before it runs.
 */
import { join } from "node:path";
import type { RuntimeFacts } from "../contract/release.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { shown } from "./python/interpreters.ts";
import { versionIn } from "./python/lock.ts";
import { buildEnvironment, startsIn } from "./python/packages.ts";
import { checkRuntime } from "./runtime-check.ts";
import { readSmall } from "./small-file.ts";
import type { Workshop } from "./workshop.ts";

/**
 * Exits 3 and names the line where a coroutine stands under the GPU decorator, which takes plain functions only. A port that is
 * written in the program, and is not the Space's, is a warning: it is not where the platform looks for the app.
 */
const lookAtApp = `
import ast, sys
tree = ast.parse(open(sys.argv[1], "rb").read(), sys.argv[1])
def is_gpu(node):
    node = node.func if isinstance(node, ast.Call) else node
    return (isinstance(node, ast.Attribute) and node.attr == "GPU") or (isinstance(node, ast.Name) and node.id == "GPU")
bad = [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef) and any(map(is_gpu, n.decorator_list))]
for n in bad:
    print("%s line %d: async def %s stands under the GPU decorator, which takes plain functions and generators only" % (sys.argv[1], n.lineno, n.name), file=sys.stderr)
calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in ("launch", "run")]
for n in calls:
    for k in n.keywords:
        port = k.value.value if k.arg in ("server_port", "port") and isinstance(k.value, ast.Constant) else None
        if type(port) is int and str(port) != sys.argv[2]:
            print("warning: %s line %d: %s=%d, and the Space's app_port is %s" % (sys.argv[1], n.lineno, k.arg, port, sys.argv[2]))
sys.exit(3 if bad else 0)
`;

/** The program of a Gradio Space, relative to its repository. */
export const appFileOf = ({ appFile }: SpaceSettings): string => appFile ?? "app.py";

export async function buildGradio(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const file = appFileOf(settings);
  // Before commands run: they may leave a link in its place.
  const program = (await readSmall(shop.app, file)) ?? "";
  const made = await buildEnvironment(shop, settings);
  const { environment, lock, python } = made;
  return await shop.step("check", async () => {
    const look = await shop.input("look-at-app.py", lookAtApp);
    await shop.run(
      [join(environment, "bin", "python"), "-I", look, file, String(settings.appPort)],
      shop.limits.buildMs,
    );
    const runtime: RuntimeFacts = {
      python: shown(python),
      gradio: versionIn(lock.text, "gradio"),
      spaces: versionIn(lock.text, "spaces"),
      ...(await checkRuntime(shop, environment, program)),
    };
    shop.note(`starts with: python ${file}; gradio ${runtime.gradio ?? "?"}, spaces ${runtime.spaces ?? "?"}`);
    return { argv: [join(environment, "bin", "python"), file], staticFolder: ".", runtime, ...startsIn(made) };
  });
}
