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
  if (projectTable.test(toml)) return { kind: "project", dependencies: dependenciesIn(toml) };
  const tool = /^[ \t]*\[tool\.(poetry|pdm|flit)\b/m.exec(toml)?.[1];
  return tool === undefined ? { kind: "none" } : { kind: "foreign", tool };
}

/** The texts of `dependencies = [ … ]` in `[project]` (PEP 621), each on a line of its own. */
function dependenciesIn(toml: string): string {
  const project = toml.split(projectTable)[1]?.split(/^[ \t]*\[[\w.-]+\]/m)[0] ?? "";
  const list = project.split(/^[ \t]*dependencies[ \t]*=[ \t]*\[/m)[1] ?? "";
  const texts: string[] = [];
  for (const [token, double, single] of list.matchAll(/"([^"\n]*)"|'([^'\n]*)'|#[^\n]*|\]/g)) {
    if (token === "]") break;
    if (!token.startsWith("#")) texts.push(double ?? single ?? "");
  }
  return texts.join("\n");
}

const projectTable = /^[ \t]*\[project\][ \t]*(?:#.*)?$/m;
