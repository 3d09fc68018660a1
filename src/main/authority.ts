/** `waybill ca`: the private authority in a data folder. */
import { join } from "node:path";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import type { RootView } from "../cli/world.ts";
import type { Clock } from "../stdx/time.ts";
import { authorityFolder, AuthorityUnfit, createRoot, readRoot } from "../tls/index.ts";

export async function authority(
  data: string,
  { create }: { readonly create: boolean },
  clock: Clock,
): Promise<RootView | undefined> {
  const folder = authorityFolder(join(data, "tls"));
  try {
    return create ? await createRoot(folder, { now: clock.wall(), name: "Waybill" }) : readRoot(folder);
  } catch (error) {
    if (!(error instanceof AuthorityUnfit)) throw error;
    throw new CliFailure(exit.failed, {
      code: "authority-unfit",
      says: error.message,
      next: "Nothing was changed.",
      cause: error,
    });
  }
}
