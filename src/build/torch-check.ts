/** Compares the torch of a built environment with the cards that the app will run on: before anybody is charged for the difference. */
import type { TorchFacts } from "./runtime-contract.ts";
import { fitting, misfitOf, torchSays } from "./runtime-contract.ts";
import { readTorch } from "./python/torch.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

const gpuDecorator = /^\s*@\s*(?:\w+\s*\.\s*)?GPU\b/m;

/** Null where there is no torch. Throws a {@link BuildFailure}, `runtime/…`, where it can run on none of the pool's cards. */
export async function checkTorch(
  shop: Pick<Workshop, "spec" | "note">,
  environment: string,
  program: string,
): Promise<TorchFacts | null> {
  const torch = await readTorch(environment);
  if (torch === null) return null;
  const cards = shop.spec.cards ?? [];
  const misfit = misfitOf(torch, cards);
  if (misfit) throw new BuildFailure(misfit.code, misfit.says, [misfit.says]);
  const real = cards.filter(({ simulated }) => !simulated);
  const compared =
    real.length === 0
      ? "there are no real cards to compare it with"
      : `it may run on ${fitting(torch, real)} of ${real.length} cards`;
  shop.note(`${torchSays(torch)}: ${compared}`);
  if (torch.cuda === null && real.length > 0 && gpuDecorator.test(program))
    shop.note(
      "warning: this torch has no CUDA: what stands under the GPU decorator runs on the processor, and is charged for the GPU",
    );
  return torch;
}
