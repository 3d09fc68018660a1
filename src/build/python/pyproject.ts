/** What a pyproject.toml says of an app's packages, as far as it has to be known before the resolver reads it. Pure. */

export type Project =
  /** `[project]` names them: the resolver reads the file itself. */
  | { readonly kind: "project"; readonly dependencies: string }
  /** They are written for a tool that is not here. */
  | { readonly kind: "foreign"; readonly tool: string }
  /** It is a file of settings of tools. */
  | { readonly kind: "none" };

/** `dependencies`: as lines of a requirements file. */
export function readProject(toml: string): Project {
  if (/^\s*\[project\]\s*(#.*)?$/m.test(toml)) return { kind: "project", dependencies: dependenciesIn(toml) };
  const tool = /^\s*\[tool\.(poetry|pdm|flit)\b/m.exec(toml)?.[1];
  return tool === undefined ? { kind: "none" } : { kind: "foreign", tool };
}

/** The texts of `dependencies = [ … ]` in `[project]` (PEP 621), each on a line of its own. */
function dependenciesIn(toml: string): string {
  const project = toml.split(/^\s*\[project\]\s*(?:#.*)?$/m)[1]?.split(/^\s*\[[\w.-]+\]/m)[0] ?? "";
  const list = /^\s*dependencies\s*=\s*\[((?:"[^"\n]*"|'[^'\n]*'|#[^\n]*|[^\]"'#])*)\]/m.exec(project)?.[1] ?? "";
  const texts = list.replaceAll(/("[^"\n]*"|'[^'\n]*')|#[^\n]*/g, "$1").matchAll(/"([^"\n]*)"|'([^'\n]*)'/g);
  return [...texts].map(([, double, single]) => double ?? single ?? "").join("\n");
}
