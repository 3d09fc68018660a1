/** Incidents, and an operator's word beside each or at its end. */
import type { FormEvent, ReactNode } from "react";
import { Link, useSearch } from "wouter";
import type { Page } from "../../contract/api.ts";
import type { IncidentView, NoteRequest } from "../../contract/incidents.ts";
import { Asked, looksEveryMs, useAsked } from "../asked.tsx";
import { Empty } from "../empty.tsx";
import { addressOf } from "../find.ts";
import { IncidentList } from "../status/incidents.tsx";
import { useSpoken } from "../words/words.tsx";
import { Pages } from "../page-links.tsx";
import { Sent, useSending } from "../sending.tsx";
import { textsOf } from "./settings.ts";
import ui from "../ui.module.css";

const incidentsPath = "/api/incidents";
const noteMaxChars = 2_000;

export function IncidentsPart(): ReactNode {
  const { words } = useSpoken();
  const page = new URLSearchParams(useSearch()).get("page");
  const incidents = useAsked<Page<IncidentView>>(addressOf(incidentsPath, { page }), { everyMs: looksEveryMs });
  return (
    <Asked asked={incidents} what={words.ofStatus.incidents}>
      {({ items, next }) => (
        <>
          {items.length === 0 && (
            <div className={ui["panel"]}>
              <Empty says={words.ofAdmin.noIncidents}>
                <Link href="/admin/nodes">{words.ofAdmin.parts.nodes}</Link>
              </Empty>
            </div>
          )}
          <IncidentList incidents={items}>{(incident) => <WordForm incident={incident} />}</IncidentList>
          <Pages page={page} next={next} here="/admin/incidents" />
        </>
      )}
    </Asked>
  );
}

function WordForm({ incident: { id, until } }: { readonly incident: IncidentView }): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const sending = useSending();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const does = (event.nativeEvent as SubmitEvent).submitter?.getAttribute("value") === "close" ? "close" : "notes";
    const body: NoteRequest = { says: textsOf(new FormData(form))["says"] ?? "" };
    const path = `${incidentsPath}/${encodeURIComponent(id)}/${does}`;
    sending.mutate({ method: "POST", path, body }, { onSuccess: () => form.reset() });
  };
  return (
    <details>
      <summary>{ofAdmin.sayBeside(id)}</summary>
      <form onSubmit={onSubmit}>
        <label className={ui["field"]}>
          {ofAdmin.everybodyReads}
          <textarea name="says" required maxLength={noteMaxChars} rows={2} />
        </label>
        <p className={ui["row"]}>
          <button type="submit" value="note" className={ui["button"]} disabled={sending.isPending}>
            {ofAdmin.putBeside}
          </button>
          {until === null && (
            <button type="submit" value="close" className={ui["button"]} disabled={sending.isPending}>
              {ofAdmin.closeIncident}
            </button>
          )}
        </p>
      </form>
      <Sent sending={sending} />
    </details>
  );
}
