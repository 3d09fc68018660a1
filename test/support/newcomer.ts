/** The environment of somebody who has no Waybill: no shipped Node first, nothing of npm's from the run that we are in. */
export function newcomer(own: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const path = (process.env["PATH"] ?? "").split(":").filter((part) => !part.includes("node_modules"));
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: path.join(":") };
  for (const name of Object.keys(env))
    if (/^(npm_|NODE_TEST|NODE_COMPILE_CACHE|WAYBILL_|XDG_)/.test(name)) delete env[name];
  return { ...env, ...own };
}
