/** What a person allowed an app ends: its tokens hold no longer, and what was given by it is gone. */
import type { SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";

/** `grantId` is its hash. */
export function endOfGrant(db: Database, grantId: string, at: Instant): readonly SqlStatement[] {
  const tokens = db.selectFrom("appArtifacts").select("id").where("grantId", "=", grantId);
  const ended = db
    .updateTable("tokens")
    .set({ revokedAt: at })
    .where("hash", "in", tokens)
    .where("revokedAt", "is", null);
  const removal = db
    .deleteFrom("appArtifacts")
    .where((is) => is.or([is("grantId", "=", grantId), is.and([is("model", "=", "Grant"), is("id", "=", grantId)])]));
  return [statement(ended), statement(removal)];
}
