/** A sandbox made by bubblewrap, which is its pid 1. */
import { builderOptions, bwrapOptions, fds, rlimits, type BuilderRecipe, type Recipe } from "./recipe.ts";
import type { Way } from "./way.ts";

export function bubblewrapWay(recipe: Recipe | BuilderRecipe): Way {
  const options = "containers" in recipe ? builderOptions(recipe) : bwrapOptions(recipe);
  const bwrap = ["/usr/bin/bwrap", "--args", String(fds.options), "--", ...recipe.argv];
  return {
    driver: "bubblewrap",
    argv: ["/usr/bin/prlimit", ...rlimits(recipe.limits), "--", ...bwrap],
    options: options.map((option) => `${option}\0`).join(""),
    // `--json-status-fd`: this before anything is mounted, and at the end the exit code, if the command was begun at all.
    pid1(status) {
      const found = /"child-pid"\s*:\s*(\d+)/.exec(status);
      return found ? Number(found[1]) : undefined;
    },
    began: hasExit,
    notFound: (status, lastWords) => (hasExit(status) ? undefined : /^bwrap: execvp (.+)$/.exec(lastWords)?.[1]),
    complaint: () => undefined,
  };
}

function hasExit(status: string): boolean {
  return status.includes('"exit-code"');
}
