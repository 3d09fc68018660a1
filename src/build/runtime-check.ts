/** Compares the packages of a built environment with the cards that the app will run on: before anybody is charged for the difference. */
import type { CudaPackage, RuntimeFacts } from "../contract/release.ts";
import { readPackages } from "./cuda/installed.ts";
import { readTorch } from "./python/torch.ts";
import { asPackage, compare, fitting, packageSays, type CardFacts, type Misfit } from "./runtime-contract.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

/** An environment with 2 GB of libraries takes a tenth of a second; what is not read by then is not compared, and that is said. */
const readWithinMs = 20_000;
/** Lines in the log: an environment with more packages for cards is not known. */
const toldMax = 50;

/** `@spaces.GPU`, or under another name of the package's. */
export const gpuDecorator = /^[ \t]*@[ \t]*(?:\w+[ \t]*\.[ \t]*)?GPU\b/m;

export type CheckedRuntime = Required<Pick<RuntimeFacts, "torch" | "packages" | "warnings">>;

/** Where an app's packages are, and what it does with them. */
export interface BuiltEnvironment {
  /** Nothing that is read lies outside of it. */
  readonly root: string;
  /** Its `site-packages`; an image may have several. */
  readonly folders: readonly string[];
  /** Not all of them may have been found. */
  readonly cut?: boolean;
  /** The app's program, for a look at what it asks for. */
  readonly program: string;
  /** Whether packages that no card can run end the build. Else that is a warning: the app may never ask for a card. */
  readonly needsCard: boolean;
}

/** Throws a {@link BuildFailure}, `runtime/…`, where none of the pool's cards can run what needs one; all else is a warning. */
export async function checkRuntime(
  shop: Pick<Workshop, "spec" | "note">,
  environment: BuiltEnvironment,
): Promise<CheckedRuntime> {
  const cards = shop.spec.cards ?? [];
  const found = await readAll(environment, cards);
  const { torch, packages } = found;
  for (const one of [...(torch ? [asPackage(torch)] : []), ...packages.filter(hasCode)].slice(0, toldMax))
    shop.note(`${packageSays(one)}: ${comparedSays(one, cards)}`);
  const { misfit, doubts } = compare({ torch, packages }, cards);
  if (misfit && environment.needsCard)
    throw new BuildFailure(
      misfit.code,
      misfit.says,
      [misfit, ...doubts].map(({ says }) => says),
    );
  const refusals = misfit ? [`${misfit.says}; a call for a GPU would be refused (${misfit.code})`] : [];
  const others = othersOf(environment.program, { ...found, cards });
  const warnings = [...refusals, ...doubts.map(({ says }: Misfit) => says), ...others];
  for (const warning of warnings) shop.note(`warning: ${warning}`);
  return { torch, packages, warnings };
}

interface Found extends Required<Pick<RuntimeFacts, "torch" | "packages">> {
  readonly whole: boolean;
}

/** Of several environments: which of them the app begins in is not known, so of two torches the one that fits counts. */
async function readAll({ root, folders, cut }: BuiltEnvironment, cards: readonly CardFacts[]): Promise<Found> {
  const signal = AbortSignal.timeout(readWithinMs);
  const torches: NonNullable<RuntimeFacts["torch"]>[] = [];
  const packages: CudaPackage[] = [];
  let whole = cut !== true;
  for (const folder of folders) {
    const torch = await readTorch(folder, root);
    if (torch) torches.push(torch);
    const found = await readPackages(folder, root, signal);
    packages.push(...found.packages.filter(({ name }) => name !== "torch"));
    whole &&= found.whole;
  }
  const fits = torches.find((torch) => compare({ torch, packages: [] }, cards).misfit === undefined);
  return { torch: fits ?? torches[0] ?? null, packages, whole };
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
  program: string,
  { whole, torch, cards }: { whole: boolean; torch: RuntimeFacts["torch"]; cards: readonly CardFacts[] },
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
