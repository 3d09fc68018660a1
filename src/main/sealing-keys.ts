/** The keys without which something that was sealed cannot be read. */
import type { Catalog } from "../catalog/catalog.ts";

export async function sealingKeys({ environments, apps, webhooks }: Catalog): Promise<readonly string[]> {
  const sealed = [...(await environments.secrets()), ...(await apps.clients()), ...webhooks.all];
  return [...sealed.map(({ key }) => key), ...webhooks.all.flatMap(({ formerKey }) => formerKey ?? [])];
}
