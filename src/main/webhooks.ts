/** Webhooks: plugs what resolves, dials and judges addresses into the desk that keeps them, and incidents into what they are told. */
import { WebhookDesk, type WebhookDeskParts } from "../control/webhooks/desk.ts";
import type { Incidents } from "../control/incidents.ts";
import { poster } from "../egress/post.ts";
import { judgeAddress, type AddressRange } from "../egress/ranges.ts";

export interface WebhooksWish extends Omit<WebhookDeskParts, "post" | "denies"> {
  /** Private ones that may be reached. */
  readonly addresses: readonly AddressRange[];
  readonly incidents: Incidents;
}

export async function openWebhooks(
  stack: AsyncDisposableStack,
  { addresses, incidents, ...parts }: WebhooksWish,
): Promise<WebhookDesk> {
  const desk = stack.use(
    await WebhookDesk.open({
      ...parts,
      post: poster({ addresses }),
      denies(address) {
        const { ok, rule } = judgeAddress(address, addresses);
        return ok ? null : rule;
      },
    }),
  );
  const failed = (error: unknown): void => parts.onFailure("telling webhooks of an incident", error);
  incidents.onChanged = (changed) => void desk.incidents(changed).catch(failed);
  await desk.recoverIncidents((limit) => incidents.list(null, limit));
  return desk;
}
