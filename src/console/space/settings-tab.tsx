/** What a Space's owner sets: who may see it, on what it runs, variables and secrets, names of domains; and its states. */
import { useRef, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import type { HardwareView, OwnerSettings, Page, SecretViews, SpaceView, VariableViews } from "../../contract/api.ts";
import type { DomainView } from "../../contract/domains.ts";
import { Asked, useAsked } from "../asked.tsx";
import { Doing } from "../doing.tsx";
import { SaidInline } from "../said.tsx";
import { useSending, Wrong } from "../sending.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import { OutboundPart } from "./outbound.tsx";
import styles from "./space.module.css";

export function SettingsTab({ space }: { readonly space: SpaceView }): ReactNode {
  const { words } = useSpoken();
  const { id, settings } = space;
  return (
    <>
      <States space={space} />
      <h2>{words.access}</h2>
      <p>
        {settings.private ? words.isPrivate : words.isPublic}{" "}
        <Doing
          method="PATCH"
          path={`/api/spaces/${id}/settings`}
          body={{ private: settings.private ? "false" : "true" }}
          name={settings.private ? words.makePublic : words.makePrivate}
          asks={settings.private ? words.makePublicAsks : words.makePrivateAsks}
        />
      </p>
      <h2>{words.settings}</h2>
      {(Object.keys(settings) as (keyof OwnerSettings)[])
        .filter((name) => name !== "private" && name !== "reach")
        .map((name) => (
          <Setting key={name} id={id} name={name} value={String(settings[name])} />
        ))}
      <Variables id={id} />
      <Secrets id={id} />
      <Domains id={id} />
      <OutboundPart space={space} />
    </>
  );
}

function States({ space: { id, state } }: { readonly space: SpaceView }): ReactNode {
  const { words } = useSpoken();
  const isDown = state === "paused" || state === "stopped" || state === "stopping";
  return (
    <p className={ui["row"]}>
      <Doing method="POST" path={`/api/spaces/${id}/restart`} body={{}} name={words.restart} asks={words.restartAsks} />
      {isDown ? (
        <Doing method="POST" path={`/api/spaces/${id}/resume`} body={{}} name={words.resume} />
      ) : (
        <Doing method="POST" path={`/api/spaces/${id}/pause`} body={{}} name={words.pause} asks={words.pauseAsks} />
      )}
    </p>
  );
}

/** One value, kept as it stands when it is sent. The server says what is wrong with a value, and what to write. */
function Setting({
  id,
  name,
  value,
}: {
  readonly id: string;
  readonly name: keyof OwnerSettings;
  readonly value: string;
}): ReactNode {
  const { words } = useSpoken();
  const input = useRef<HTMLInputElement & HTMLSelectElement>(null);
  const sending = useSending();
  const choices = choicesOf(name);
  const hardware = useAsked<readonly HardwareView[]>("/api/spaces/hardware", { enabled: name === "hardware" });
  const all = name === "hardware" ? ["", ...(hardware.data ?? []).map((one) => one.name)] : choices;
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    const body = { [name]: input.current?.value ?? value };
    sending.mutate({ method: "PATCH", path: `/api/spaces/${id}/settings`, body });
  };
  return (
    <form className={`${ui["field"]} ${styles["setting"]}`} onSubmit={onSubmit} key={`${value} ${all?.length ?? 0}`}>
      <label htmlFor={`set-${name}`}>
        <code>{name}</code>
      </label>
      {all === undefined ? (
        <input id={`set-${name}`} ref={input} defaultValue={value} maxLength={200} />
      ) : (
        <select id={`set-${name}`} ref={input} defaultValue={value}>
          {(all.includes(value) ? all : [value, ...all]).map((one) => (
            <option key={one} value={one}>
              {one === "" ? words.thePlatforms : one}
            </option>
          ))}
        </select>
      )}
      <button type="submit" className={ui["button"]} disabled={sending.isPending}>
        {words.set} <span className={ui["hidden"]}>{name}</span>
      </button>
      <Wrong sending={sending} />
    </form>
  );
}

function choicesOf(name: keyof OwnerSettings): readonly string[] | undefined {
  switch (name) {
    case "on-leave":
      return ["finish", "stop"];
    case "sleep-mode":
      return ["stop", "freeze"];
    case "messages":
      return ["full", "quiet", "off"];
    default:
      return undefined;
  }
}

function Variables({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  const path = `/api/spaces/${id}/variables`;
  const variables = useAsked<VariableViews>(path);
  return (
    <>
      <h2>{words.variables}</h2>
      <Asked asked={variables} what={words.variables}>
        {(views) => <Named path={path} views={views} shown={(key) => `${key}=${views[key]?.value ?? ""}`} />}
      </Asked>
      <Entry path={path} label={words.newVariable} isSecret={false} />
    </>
  );
}

/** Write-only: no API gives a value back. */
function Secrets({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  const path = `/api/spaces/${id}/secrets`;
  const secrets = useAsked<SecretViews>(path);
  return (
    <>
      <h2>{words.secrets}</h2>
      <p className={ui["muted"]}>{words.secretsSay}</p>
      <Asked asked={secrets} what={words.secrets}>
        {(views) => <Named path={path} views={views} shown={(key) => key} />}
      </Asked>
      <Entry path={path} label={words.newSecret} isSecret />
    </>
  );
}

/** What is set at `path`, by its key, each to be removed. */
function Named({
  path,
  views,
  shown,
}: {
  readonly path: string;
  readonly views: SecretViews;
  readonly shown: (key: string) => string;
}): ReactNode {
  const { words, format } = useSpoken();
  return (
    <ul className={ui["list"]}>
      {Object.keys(views).length === 0 && <li className={ui["muted"]}>{words.none}</li>}
      {Object.entries(views).map(([key, { updatedAt }]) => (
        <li key={key} className={ui["spread"]}>
          <code>{shown(key)}</code>
          <span className={ui["row"]}>
            <span className={ui["muted"]}>{words.setAt(format.moment(updatedAt, Date.now()))}</span>
            <Doing method="DELETE" path={path} body={{ key }} name={words.remove} asks={words.removeAsks(key)} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Entry({
  path,
  label,
  isSecret,
}: {
  readonly path: string;
  readonly label: string;
  readonly isSecret: boolean;
}): ReactNode {
  const { words } = useSpoken();
  const sending = useSending();
  // What was set is forgotten by the page.
  const [round, setRound] = useState(0);
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const body = { key: fields.get("key"), value: fields.get("value") };
    sending.mutate({ method: "POST", path, body }, { onSuccess: () => setRound(round + 1) });
  };
  return (
    <form key={round} className={ui["row"]} onSubmit={onSubmit} aria-label={label}>
      <input
        className={ui["input"]}
        name="key"
        aria-label={words.name}
        placeholder={words.name}
        required
        maxLength={128}
        autoComplete="off"
      />
      <input
        className={ui["input"]}
        name="value"
        aria-label={words.value}
        placeholder={words.value}
        type={isSecret ? "password" : "text"}
        autoComplete="off"
      />
      <button type="submit" className={ui["button"]} disabled={sending.isPending}>
        {label}
      </button>
      <Wrong sending={sending} />
    </form>
  );
}

function Domains({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  const path = `/api/spaces/${id}/domains`;
  const domains = useAsked<Page<DomainView>>(path);
  const sending = useSending();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    sending.mutate({ method: "POST", path, body: { name: new FormData(event.currentTarget).get("name") } });
  };
  return (
    <>
      <h2>{words.domains}</h2>
      <Asked asked={domains} what={words.domains}>
        {({ items }) => (
          <ul className={ui["list"]}>
            {items.length === 0 && <li className={ui["muted"]}>{words.none}</li>}
            {items.map(({ name, says, record }) => (
              <li key={name}>
                <div className={ui["spread"]}>
                  <strong>{name}</strong>
                  <Doing
                    method="DELETE"
                    path={`${path}/${encodeURIComponent(name)}`}
                    body={{}}
                    name={words.remove}
                    asks={words.removeAsks(name)}
                  />
                </div>
                <SaidInline text={says} />
                <br />
                <code>
                  {record.txt.name} TXT {record.txt.value}
                </code>
              </li>
            ))}
          </ul>
        )}
      </Asked>
      <form className={ui["row"]} onSubmit={onSubmit} aria-label={words.newDomain}>
        <input
          className={ui["input"]}
          name="name"
          aria-label={words.name}
          placeholder="app.example.com"
          required
          maxLength={253}
          autoComplete="off"
        />
        <button type="submit" className={ui["button"]} disabled={sending.isPending}>
          {words.newDomain}
        </button>
        <Wrong sending={sending} />
      </form>
    </>
  );
}
