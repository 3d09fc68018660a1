/** A look at an app's program before it runs: parsed by its own Python, and not imported. */
import { join } from "node:path";
import type { Workshop } from "../workshop.ts";

/**
 * Exits 3 and names the line where a coroutine stands under the GPU decorator, which takes plain functions only. A port that is
 * written in the program, and is not the Space's, is a warning: it is not where the platform looks for the app.
 */
const script = `
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

/** `file` is relative to the app's folder; throws a `BuildFailure` where it is no Python, or can never run. */
export async function lookAtProgram(
  shop: Workshop,
  { environment, file, port }: { readonly environment: string; readonly file: string; readonly port: number },
): Promise<void> {
  const look = await shop.input("look-at-app.py", script);
  await shop.run([join(environment, "bin", "python"), "-I", look, file, String(port)], shop.limits.buildMs);
}

/** Coroutines under the GPU decorator, as a text shows them where there is no Python of the app's to parse it: name and line, from 1. */
export function coroutinesForGpu(text: string): readonly { readonly name: string; readonly line: number }[] {
  const found: { name: string; line: number }[] = [];
  let decorated = false;
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const name = /^\s*async\s+def\s+(\w+)/.exec(line)?.[1];
    if (decorated && name !== undefined) found.push({ name, line: at + 1 });
    if (/^\s*@\s*(?:\w+\s*\.\s*)?GPU\b/.test(line)) decorated = true;
    else if (name !== undefined || /^\s*(def|class)\b/.test(line)) decorated = false;
  }
  return found;
}
