/** Webhooks as their owners have them: added, changed, tried, and their secrets, which are shown once. */
import type { Catalog } from "../../catalog/catalog.ts";
import type { AttemptRow, DeliveryRow } from "../../catalog/deliveries.ts";
import type { Notice } from "../../catalog/notices.ts";
import type { Page } from "../../catalog/page.ts";
import type { WebhookRow } from "../../catalog/webhooks.ts";
import { ownTypes, platformTypes } from "../../contract/webhooks.ts";
import type {
  AddWebhook,
  ChangeWebhook,
  DeliveryView,
  NoticeType,
  WebhookSecret,
  WebhookView,
} from "../../contract/webhooks.ts";
import type { Incident } from "../../evidence/incidents.ts";
import type { SecretBox } from "../../identity/secret-box.ts";
import { newId } from "../../stdx/ids.ts";
import type { RandomBytes } from "../../stdx/ids.ts";
import { after, durationMs, instant, iso } from "../../stdx/time.ts";
import type { Clock, Instant } from "../../stdx/time.ts";
import { Turns } from "../../stdx/turns.ts";
import type { RequestEffects } from "../request-effects.ts";
import { no } from "../spaces.ts";
import type { Refused } from "../spaces.ts";
import { refuseAddress } from "./address.ts";
import { Courier } from "./courier.ts";
import type { CourierParts } from "./courier.ts";
import { newWebhookSecret } from "./signature.ts";

export interface WebhookDeskParts extends Omit<CourierParts, "catalog" | "secrets" | "switchOff"> {
  readonly catalog: Catalog;
  readonly box: SecretBox;
  readonly effects: RequestEffects;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** Null where the platform reaches this IP address, else why it does not. */
  denies(address: string): string | null;
}

type Found<Of> = { readonly ok: true; readonly value: Of } | Refused;

/** Of one owner: each of them may be told of everything. */
const ofOwnerMax = 10;
/** So long what is sent bears both signatures: a day, for whoever has to change it by hand in another place. */
const formerSecretMs = durationMs(24 * 3_600_000);
/** Incidents that a start looks at again: what ended before is told. */
const incidentsLookedAt = 50;
const incidentsToldMs = 24 * 3_600_000;

export class WebhookDesk implements AsyncDisposable {
  readonly #parts: WebhookDeskParts;
  readonly #courier: Courier;
  readonly #turns = new Turns();

  /** What an older key sealed is sealed again with the current one. Nothing is sent before {@link start}. */
  static async open(parts: WebhookDeskParts): Promise<WebhookDesk> {
    const { catalog, box, clock } = parts;
    for (const row of catalog.webhooks.all) {
      const isOver = row.formerUntil !== null && row.formerUntil <= clock.wall();
      const isOld = row.key !== box.current || (row.formerKey !== null && row.formerKey !== box.current);
      if (!isOver && !isOld) continue;
      const place = placeOf(row.id);
      const former = isOver || row.formerKey === null ? null : box.open(formerOf(row), place);
      await catalog.webhooks.change(
        row.id,
        {
          ...box.seal(box.open(row, place), place),
          ...formerColumns(former === null ? null : box.seal(former, place), former === null ? null : row.formerUntil),
        },
        { asked: false },
      );
    }
    return new WebhookDesk(parts);
  }

  private constructor(parts: WebhookDeskParts) {
    this.#parts = parts;
    this.#courier = new Courier({
      ...parts,
      post: (posting, signal) => parts.post(posting, signal),
      onFailure: (what, error) => parts.onFailure(what, error),
      secrets: (row) => this.#secrets(row),
      switchOff: (row, says) => this.#switchOff(row, says),
    });
  }

  start(): void {
    this.#courier.start();
  }

  /** Resolves when nothing is being tried. */
  idle(): Promise<void> {
    return this.#courier.idle();
  }

  get(id: string): WebhookRow | undefined {
    return this.#parts.catalog.webhooks.get(id);
  }

  async view(row: WebhookRow): Promise<WebhookView> {
    const { id, owner, url, types, description, state, says, createdBy } = row;
    return {
      ...{ id, owner, url, types, description, state, since: iso(row.since), says },
      failingSince: timeOf(row.failingSince),
      waiting: await this.#parts.catalog.deliveries.waiting(id),
      ...{ formerSecretUntil: timeOf(this.#formerUntil(row)), createdAt: iso(row.createdAt), createdBy },
    };
  }

  /** Of an account or an organisation; null: of the platform. */
  async list(owner: string | null): Promise<readonly WebhookView[]> {
    return Promise.all(this.#parts.catalog.webhooks.of(owner).map((row) => this.view(row)));
  }

  async add(
    { url, types = [], description }: Omit<AddWebhook, "account" | "platform">,
    { owner, by }: { readonly owner: string | null; readonly by: string },
  ): Promise<Found<WebhookRow & { readonly secret: string }>> {
    const { catalog, clock, random, box, effects } = this.#parts;
    const made = effects.made?.work;
    const row = typeof made === "string" ? catalog.webhooks.get(made) : undefined;
    if (row) return { ok: true, value: { ...row, secret: box.open(row, placeOf(row.id)) } };
    return this.#turns.take(owner ?? "", async () => {
      const refused = this.#refused({ url, types }, owner);
      if (refused) return refused;
      if (owner !== null && !(await catalog.accounts.get(owner)))
        return no("control/not-found", `There is no account ${owner}.`);
      if (catalog.webhooks.of(owner).length >= ofOwnerMax)
        return no("control/conflict", `${whoseOf(owner)} has ${ofOwnerMax} webhooks: remove one first.`);
      const now = clock.wall();
      const id = newId("wh", random);
      const secret = newWebhookSecret(random);
      const added: WebhookRow = {
        ...{ id, owner, url, types, description: description || null, state: "on", since: now },
        ...{ says: `${by} added it`, failingSince: null, ...box.seal(secret, placeOf(id)) },
        ...{ ...formerColumns(null, null), createdAt: now, createdBy: by },
      };
      await catalog.webhooks.add(added);
      return { ok: true, value: { ...added, secret } };
    });
  }

  async change({ id, owner }: WebhookRow, wish: ChangeWebhook, by: string): Promise<Refused | undefined> {
    const { catalog, clock, effects } = this.#parts;
    if (effects.made) return undefined;
    return this.#turns.take(owner ?? "", async () => {
      const row = catalog.webhooks.get(id);
      if (!row) return noWebhook(id);
      const { url, types, description, state } = wish;
      const refused = this.#refused({ url: url ?? row.url, types: types ?? row.types }, owner);
      if (refused) return refused;
      const isSwitched = state !== undefined && state !== row.state;
      const switched = { state: state ?? row.state, since: clock.wall(), says: `${by} switched it ${state}` };
      await catalog.webhooks.change(
        id,
        {
          ...(url !== undefined && { url }),
          ...(types && { types }),
          ...(description !== undefined && { description: description || null }),
          ...(isSwitched && { ...switched, failingSince: null }),
        },
        { asked: true },
      );
      this.#courier.eager(id);
      return undefined;
    });
  }

  /** Nothing more is sent to it, and its log is gone. */
  async remove({ id, owner }: WebhookRow): Promise<void> {
    if (this.#parts.effects.made) return;
    await this.#turns.take(owner ?? "", async () => {
      await this.#courier.forget(id);
      await this.#parts.catalog.webhooks.remove(id);
    });
  }

  /** Another secret signs; the one before does too for a day. */
  async rotate({ id, owner }: WebhookRow): Promise<Found<WebhookSecret>> {
    const { catalog, clock, random, box, effects } = this.#parts;
    return this.#turns.take(owner ?? "", async () => {
      const row = catalog.webhooks.get(id);
      if (!row) return noWebhook(id);
      const place = placeOf(id);
      if (!effects.made) {
        const former = formerColumns(row, after(clock.wall(), formerSecretMs));
        const secret = newWebhookSecret(random);
        await catalog.webhooks.change(id, { ...box.seal(secret, place), ...former }, { asked: true });
      }
      const current = catalog.webhooks.get(id) ?? row;
      const formerSecretUntil = timeOf(this.#formerUntil(current));
      return { ok: true, value: { id, secret: box.open(current, place), formerSecretUntil } };
    });
  }

  /** Sends something to it, so that its owner sees whether it comes. */
  async test({ id, owner, state }: WebhookRow, by: string): Promise<Found<DeliveryView>> {
    const { catalog, clock, random, effects } = this.#parts;
    if (effects.made) return this.#newest(id);
    if (state === "off") return isOff(id);
    const at = clock.wall();
    const notice: Notice = { type: "webhook.test", key: newId("test", random), at, owner, data: { webhook: id, by } };
    await catalog.webhooks.tell([notice], id);
    this.#courier.eager(id);
    return this.#newest(id);
  }

  async deliveries(id: string, page: string | undefined, limit: number): Promise<Page<DeliveryView> | undefined> {
    const { deliveries } = this.#parts.catalog;
    const found = await deliveries.list(id, { before: page, limit });
    return found && { items: await this.#views(found.items), next: found.next };
  }

  async delivery(id: string, delivery: string): Promise<DeliveryView | undefined> {
    const { deliveries } = this.#parts.catalog;
    let attempts = await deliveries.attempts([delivery]);
    for (;;) {
      const row = await deliveries.get(delivery);
      if (row?.webhook !== id) return undefined;
      const again = await deliveries.attempts([delivery]);
      // A try is one commit with what it leads to: between two logs that are the same it is of their moment. The next is seconds away.
      if (again.at(-1)?.n === attempts.at(-1)?.n) return { ...deliveryView(row, again), body: row.body };
      attempts = again;
    }
  }

  /** Tries it again from the first try on, under the same id. */
  async redeliver({ id, state }: WebhookRow, delivery: string): Promise<Found<DeliveryView>> {
    const { catalog, clock, effects } = this.#parts;
    const row = await catalog.deliveries.get(delivery);
    if (row?.webhook !== id) return no("control/not-found", `There is no delivery ${delivery} of ${id}.`);
    if (!effects.made) {
      if (state === "off") return isOff(id);
      await catalog.deliveries.again(row, clock.wall());
      this.#courier.eager(id);
    }
    const view = await this.delivery(id, delivery);
    return view ? { ok: true, value: view } : no("control/not-found", `There is no delivery ${delivery} of ${id}.`);
  }

  /** Tells of incidents as they are now; of one that was told so before nothing is told. */
  async incidents(changed: readonly Incident[]): Promise<void> {
    await this.#parts.catalog.webhooks.tell(changed.flatMap(incidentNotices));
  }

  /** Those of the last day that a stop may have kept from being told. */
  async recoverIncidents(newest: (limit: number) => Promise<readonly Incident[]>): Promise<void> {
    const from = this.#parts.clock.wall() - incidentsToldMs;
    await this.incidents((await newest(incidentsLookedAt)).filter(({ since, until }) => (until ?? since) >= from));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#courier[Symbol.asyncDispose]();
  }

  async #newest(id: string): Promise<Found<DeliveryView>> {
    const newest = (await this.#parts.catalog.deliveries.list(id, { limit: 20 }))?.items ?? [];
    const row = newest.find(({ type }) => type === "webhook.test");
    const view = row && (await this.delivery(id, row.id));
    return view ? { ok: true, value: view } : noWebhook(id);
  }

  async #views(rows: readonly DeliveryRow[]): Promise<readonly DeliveryView[]> {
    const attempts = await this.#parts.catalog.deliveries.attempts(rows.map(({ id }) => id));
    return rows.map((row) =>
      deliveryView(
        row,
        attempts.filter(({ delivery }) => delivery === row.id),
      ),
    );
  }

  #refused({ url, types }: { url: string; types: readonly NoticeType[] }, owner: string | null): Refused | undefined {
    const wrong = refuseAddress(url, { denies: (address) => this.#parts.denies(address) });
    if (wrong !== undefined) return no("control/invalid", wrong);
    const own = types.find((type) => ownTypes.includes(type));
    if (own !== undefined) return no("control/invalid", `${own} is told to every webhook: leave it out of the types.`);
    const platforms = owner === null ? undefined : types.find((type) => platformTypes.includes(type));
    if (platforms === undefined) return undefined;
    return no("control/invalid", `${platforms} is for the platform's webhooks, which operators add with \`platform\`.`);
  }

  #secrets(row: WebhookRow): readonly string[] {
    const { box } = this.#parts;
    const place = placeOf(row.id);
    const former = this.#formerUntil(row) === null ? [] : [box.open(formerOf(row), place)];
    return [box.open(row, place), ...former];
  }

  #formerUntil({ formerUntil }: WebhookRow): Instant | null {
    return formerUntil !== null && formerUntil > this.#parts.clock.wall() ? formerUntil : null;
  }

  async #switchOff({ id, owner, url, failingSince }: WebhookRow, says: string): Promise<void> {
    const { catalog, clock } = this.#parts;
    const since = clock.wall();
    const notice: Notice = {
      ...{ type: "webhook.off", key: `off/${id}/${since}`, at: since, owner, data: { webhook: id, url, says } },
    };
    await catalog.webhooks.change(id, { state: "off", since, says, failingSince }, { asked: false, tells: [notice] });
  }
}

/** What a secret's seal is bound to. */
function placeOf(id: string): string {
  return `webhook ${id}`;
}

function formerOf({ formerKey, formerSealed }: WebhookRow): { readonly key: string; readonly sealed: string } {
  return { key: formerKey ?? "", sealed: formerSealed ?? "" };
}

function formerColumns(
  former: Pick<WebhookRow, "key" | "sealed"> | null,
  until: Instant | null,
): Pick<WebhookRow, "formerKey" | "formerSealed" | "formerUntil"> {
  return { formerKey: former?.key ?? null, formerSealed: former?.sealed ?? null, formerUntil: until };
}

function deliveryView(row: DeliveryRow, attempts: readonly AttemptRow[]): DeliveryView {
  const { id, webhook, type, at, state, dueAt, endedAt, says } = row;
  return {
    ...{ id, webhook, type, at: iso(at), state, dueAt: timeOf(dueAt), endedAt: timeOf(endedAt), says },
    attempts: attempts.map(({ delivery: _delivery, n: _n, ...one }) => ({ ...one, at: iso(one.at) })),
  };
}

function incidentNotices(one: Incident): readonly Notice[] {
  const { id, boundary, wrong, planned, says } = one;
  const since = instant(one.since);
  const told = { incident: id, boundary, wrong, planned, says, since: iso(since) };
  const opened: Notice = {
    ...{ type: "incident.opened", key: `incident/${id}/opened`, at: since, owner: null },
    data: { ...told, until: null },
  };
  if (one.until === null) return [opened];
  const until = instant(one.until);
  const data = { ...told, until: iso(until) };
  return [opened, { type: "incident.closed", key: `incident/${id}/closed`, at: until, owner: null, data }];
}

function timeOf(at: Instant | null): string | null {
  return at === null ? null : iso(at);
}

function whoseOf(owner: string | null): string {
  return owner ?? "The platform";
}

function isOff(id: string): Refused {
  return { ...no("control/conflict", `${id} is off.`), next: `\`waybill webhook set ${id} --on\` switches it on.` };
}

export function noWebhook(id: string): Refused {
  return { ...no("control/not-found", `There is no webhook ${id}.`), next: "`waybill webhook list` shows them." };
}
