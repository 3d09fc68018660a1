/** Webhooks of an account, an organisation or the platform: what is told where, added, tried, switched and removed; of each the log of its deliveries. */
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import type { Page } from "../contract/api.ts";
import type { AddedWebhook, AddWebhook, DeliveryView, WebhookView } from "../contract/webhooks.ts";
import { Asked, useAsked } from "./asked.tsx";
import { CopyButton } from "./copy.tsx";
import { Doing } from "./doing.tsx";
import { addressOf } from "./find.ts";
import { Sent, useSending } from "./sending.tsx";
import { textsOf } from "./admin/settings.ts";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

/** What is sent is tried within seconds; a log that is open looks so often. */
const logEveryMs = 3_000;
const shownDeliveries = 20;

/** Null: the platform's, which hear of all that happens; for operators. */
type Owner = string | null;

export function Webhooks({ owner }: { readonly owner: Owner }): ReactNode {
  const { words } = useSpoken();
  const { ofWebhooks } = words;
  const whose = owner === null ? { platform: "true" } : { account: owner };
  const webhooks = useAsked<Page<WebhookView>>(addressOf("/api/webhooks", whose));
  return (
    <>
      <h2>{ofWebhooks.webhooks}</h2>
      <p className={ui["muted"]}>{owner === null ? ofWebhooks.platformSays : ofWebhooks.says}</p>
      <Asked asked={webhooks} what={ofWebhooks.webhooks}>
        {({ items }) => (
          <ul className={ui["list"]}>
            {items.length === 0 && <li className={ui["muted"]}>{words.none}</li>}
            {items.map((webhook) => (
              <li key={webhook.id}>
                <Webhook webhook={webhook} />
              </li>
            ))}
          </ul>
        )}
      </Asked>
      <Add owner={owner} />
    </>
  );
}

function Webhook({ webhook }: { readonly webhook: WebhookView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofWebhooks } = words;
  const { id, url, types, state, since, says, failingSince, waiting, description } = webhook;
  const [isOpen, setOpen] = useState(false);
  const path = `/api/webhooks/${id}`;
  return (
    <>
      <p className={ui["spread"]}>
        <span className={ui["target"]}>
          <strong>{description ?? url}</strong> <code>{id}</code>{" "}
          {types.length === 0 ? ofWebhooks.all : types.join(", ")}
        </span>
        <span className={ui["row"]}>
          {state === "on" ? (
            <Doing method="POST" path={`${path}/test`} body={{}} name={ofWebhooks.test} />
          ) : (
            <Doing method="PATCH" path={path} body={{ state: "on" }} name={ofWebhooks.switchOn} />
          )}
          <Doing method="DELETE" path={path} body={{}} name={words.remove} asks={ofWebhooks.removeAsks} />
        </span>
      </p>
      {description !== null && <p className={ui["muted"]}>{url}</p>}
      {state === "off" && (
        <p className={ui["failed"]}>
          ✕ {ofWebhooks.offSince(format.moment(since, Date.now()))} <span lang="en">{says}</span>
        </p>
      )}
      {state === "on" && failingSince !== null && (
        <p className={ui["failed"]}>✕ {ofWebhooks.failingSince(format.moment(failingSince, Date.now()))}</p>
      )}
      <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>{ofWebhooks.log(format.number(waiting))}</summary>
        {isOpen && <Deliveries path={path} />}
      </details>
    </>
  );
}

function Deliveries({ path }: { readonly path: string }): ReactNode {
  const { words, format } = useSpoken();
  const { ofWebhooks } = words;
  const asked = useAsked<Page<DeliveryView>>(`${path}/deliveries?limit=${shownDeliveries}`, { everyMs: logEveryMs });
  return (
    <Asked asked={asked} what={ofWebhooks.deliveries}>
      {({ items }) => (
        <ul className={ui["list"]}>
          {items.length === 0 && <li className={ui["muted"]}>{words.none}</li>}
          {items.map(({ id, type, at, state, says, attempts }) => (
            <li key={id} className={ui["spread"]}>
              <span>
                <span className={state === "failed" ? ui["failed"] : undefined}>{ofWebhooks.states[state]}</span> {type}{" "}
                <code>{id}</code>
                <br />
                <span className={ui["muted"]}>
                  {format.moment(at, Date.now())}, {ofWebhooks.tries(attempts.length)}
                  {attempts.length > 0 && `, ${format.seconds(attempts.at(-1)?.tookMs ?? 0)}`}
                  {says !== "" && ": "}
                  <span lang="en">{says}</span>
                </span>
              </span>
              {state !== "waiting" && (
                <Doing method="POST" path={`${path}/deliveries/${id}/redeliver`} body={{}} name={ofWebhooks.again} />
              )}
            </li>
          ))}
        </ul>
      )}
    </Asked>
  );
}

function Add({ owner }: { readonly owner: Owner }): ReactNode {
  const { words } = useSpoken();
  const { ofWebhooks } = words;
  const sending = useSending();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const { url = "", description = "" } = textsOf(new FormData(form));
    const whose = owner === null ? { platform: true } : { account: owner };
    const body: AddWebhook = { url, ...whose, ...(description !== "" && { description }) };
    sending.mutate({ method: "POST", path: "/api/webhooks", body }, { onSuccess: () => form.reset() });
  };
  const secret = (sending.data as AddedWebhook | undefined)?.secret;
  return (
    <details>
      <summary>{ofWebhooks.add}</summary>
      <form onSubmit={onSubmit}>
        <label className={ui["field"]}>
          {ofWebhooks.address}
          <input name="url" type="url" required maxLength={2_000} placeholder="https://" autoComplete="off" />
        </label>
        <label className={ui["field"]}>
          {ofWebhooks.description}
          <input name="description" maxLength={200} autoComplete="off" />
        </label>
        <button type="submit" className={ui["button"]} disabled={sending.isPending}>
          {ofWebhooks.add}
        </button>
      </form>
      {secret !== undefined && (
        <p className={ui["panel"]}>
          {ofWebhooks.secretOnce} <code>{secret}</code>{" "}
          <CopyButton text={() => secret}>{ofWebhooks.copySecret}</CopyButton>
        </p>
      )}
      <Sent sending={sending} />
    </details>
  );
}
