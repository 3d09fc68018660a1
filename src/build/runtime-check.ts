/** Compares the packages of a built environment with the cards that the app will run on: before anybody is charged for the difference. */
import type { CudaPackage, RuntimeFacts } from "../contract/release.ts";
import { readPackages, type FoundPackages } from "./cuda/installed.ts";
import { packagesIn, readTorch } from "./python/torch.ts";
import { asPackage, compare, fitting, packageSays, type CardFacts } from "./runtime-contract.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

/** An environment with 2 GB of libraries takes a tenth of a second; what is not read by then is not compared, and that is said. */
const readWithinMs = 20_000;
/** Lines in the log: an environment with more packages for cards is not known. */
const toldMax = 50;

const gpuDecorator = /^\s*@\s*(?:\w+\s*\.\s*)?GPU\b/m;

export type CheckedRuntime = Required<Pick<RuntimeFacts, "torch" | "packages" | "warnings">>;

/** Throws a {@link BuildFailure}, `runtime/…`, where none of the pool's cards can run it; what only may not run is a warning. */
export async function checkRuntime(
  shop: Pick<Workshop, "spec" | "note">,
  environment: string,
  program: string,
): Promise<CheckedRuntime> {
  const folder = await packagesIn(environment);
  if (folder === undefined) return { torch: null, packages: [], warnings: [] };
  const torch = await readTorch(folder, environment);
  const found = await readPackages(folder, environment, AbortSignal.timeout(readWithinMs));
  const packages = found.packages.filter(({ name }) => name !== "torch");
  const cards = shop.spec.cards ?? [];
  for (const one of [...(torch ? [asPackage(torch)] : []), ...packages.filter(hasCode)].slice(0, toldMax))
    shop.note(`${packageSays(one)}: ${comparedSays(one, cards)}`);
  const { misfit, doubts } = compare({ torch, packages }, cards);
  if (misfit)
    throw new BuildFailure(
      misfit.code,
      misfit.says,
      [misfit, ...doubts].map(({ says }) => says),
    );
  const warnings = [...doubts.map(({ says }) => says), ...othersOf(found, { torch, cards, program })];
  for (const warning of warnings) shop.note(`warning: ${warning}`);
  return { torch, packages, warnings };
}

function hasCode({ archs }: CudaPackage): boolean {
  return archs.length > 0;
}

function comparedSays(one: CudaPackage, cards: readonly CardFacts[]): string {
  const real = cards.filter(({ simulated }) => !simulated);
  if (one.name === "torch" && one.cuda === null) return "it uses no card";
  if (real.length === 0) return "there are no real cards to compare it with";
  return `it may run on ${fitting(one, real)} of ${real.length} ${real.length === 1 ? "card" : "cards"}`;
}

function othersOf(
  { whole }: FoundPackages,
  { torch, cards, program }: { torch: RuntimeFacts["torch"]; cards: readonly CardFacts[]; program: string },
): readonly string[] {
  const hasCards = cards.some(({ simulated }) => !simulated);
  const processor =
    torch !== null && torch.cuda === null && hasCards && gpuDecorator.test(program)
      ? [
          "this torch has no CUDA: what stands under the GPU decorator runs on the processor, and is charged for the GPU",
        ]
      : [];
  return whole ? processor : [...processor, "the environment is too large to be looked at: not all of it was compared"];
}
