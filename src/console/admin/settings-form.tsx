/** A form for settings: all of them with what they are, and only what was changed is sent. */
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { useSpoken } from "../words/words.tsx";
import { Sent, useSending } from "../sending.tsx";
import { changesIn, textOf, textsOf } from "./settings.ts";
import type { Field, Settings } from "./settings.ts";
import ui from "../ui.module.css";
import styles from "./admin.module.css";

export function SettingsForm({
  fields,
  labels,
  was,
  path,
}: {
  readonly fields: readonly Field[];
  readonly labels: Readonly<Record<string, string>>;
  readonly was: Settings;
  /** Where what was changed is sent. */
  readonly path: string;
}): ReactNode {
  const { words } = useSpoken();
  const sending = useSending();
  const [isSame, setSame] = useState(false);
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const body = changesIn(fields, was, textsOf(new FormData(event.currentTarget)));
    const hasNone = Object.keys(body).length === 0;
    setSame(hasNone);
    if (!hasNone) sending.mutate({ method: "PATCH", path, body });
  };
  return (
    <form onSubmit={onSubmit}>
      <SettingsFields fields={fields} labels={labels} was={was} />
      <button type="submit" className={ui["button"]} disabled={sending.isPending}>
        {words.ofAdmin.save}
      </button>
      {isSame ? <p role="status">{words.ofAdmin.nothingChanged}</p> : <Sent sending={sending} />}
    </form>
  );
}

/** An input for each, with what it is. */
export function SettingsFields({
  fields,
  labels,
  was,
}: {
  readonly fields: readonly Field[];
  readonly labels: Readonly<Record<string, string>>;
  readonly was: Settings;
}): ReactNode {
  const { words } = useSpoken();
  return (
    <div className={styles["fields"]}>
      {fields.map((field) => (
        <label key={field.name} className={ui["field"]}>
          <span>
            {labels[field.name]}
            {field.unit === "seconds" && ` (${words.ofAdmin.inSeconds})`}
            {field.isNullable && <span className={ui["muted"]}> {words.ofAdmin.emptyNoLimit}</span>}
          </span>
          <Input field={field} text={textOf(was[field.name], field)} />
        </label>
      ))}
    </div>
  );
}

/** It begins anew with what it is where that changed meanwhile. */
function Input({ field, text }: { readonly field: Field; readonly text: string }): ReactNode {
  const { name, unit, choices = [], isNullable = false, min } = field;
  if (unit === "choice")
    return (
      <select key={text} name={name} defaultValue={text}>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  const step = unit === "seconds" ? "any" : 1;
  return <input key={text} name={name} type="number" defaultValue={text} required={!isNullable} {...{ step, min }} />;
}
