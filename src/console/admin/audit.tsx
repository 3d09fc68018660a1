/** Who changed what, newest first; the filter is in the address, so that it can be passed on. */
import type { FormEvent, ReactNode } from "react";
import { Link, useLocation, useSearch } from "wouter";
import type { Page } from "../../contract/api.ts";
import type { AuditEntryView } from "../../contract/identity.ts";
import { Asked, useAsked } from "../asked.tsx";
import { storyPath } from "../find.ts";
import { TableHead } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import { auditAsked, auditNames, auditOfForm, auditTimes, localInput } from "./audit-filter.ts";
import { Pages } from "../page-links.tsx";
import { textsOf } from "./settings.ts";
import ui from "../ui.module.css";
import styles from "./admin.module.css";

const here = "/admin/audit";

export function AuditPart(): ReactNode {
  const { words } = useSpoken();
  const asked = auditAsked(new URLSearchParams(useSearch()));
  const query = asked.toString();
  const entries = useAsked<Page<AuditEntryView>>(`/api/audit${query === "" ? "" : `?${query}`}`);
  return (
    <>
      <Filter key={query} asked={asked} />
      <Asked asked={entries} what={words.ofAdmin.parts.audit}>
        {({ items, next }) => (
          <>
            {items.length === 0 ? (
              <p className={ui["panel"]}>{words.ofAdmin.noEntries}</p>
            ) : (
              <Entries entries={items} />
            )}
            <Pages page={asked.get("page")} next={next} here={here} asked={asked} />
          </>
        )}
      </Asked>
    </>
  );
}

function Filter({ asked }: { readonly asked: URLSearchParams }): ReactNode {
  const { words } = useSpoken();
  const [, go] = useLocation();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const query = auditOfForm(textsOf(new FormData(event.currentTarget))).toString();
    go(query === "" ? here : `${here}?${query}`);
  };
  return (
    <form onSubmit={onSubmit} role="search" aria-label={words.ofAdmin.filter}>
      <div className={styles["fields"]}>
        {auditNames.map((name) => {
          const isTime = auditTimes.has(name);
          return (
            <label key={name} className={ui["field"]}>
              {words.ofAdmin.auditFields[name]}
              <input
                name={name}
                type={isTime ? "datetime-local" : "text"}
                defaultValue={isTime ? localInput(asked.get(name)) : (asked.get(name) ?? "")}
                maxLength={300}
              />
            </label>
          );
        })}
      </div>
      <p className={`${ui["row"]} ${ui["links"]}`}>
        <button type="submit" className={ui["button"]}>
          {words.ofAdmin.filter}
        </button>
        {asked.size > 0 && <Link href={here}>{words.ofAdmin.all}</Link>}
      </p>
    </form>
  );
}

function Entries({ entries }: { readonly entries: readonly AuditEntryView[] }): ReactNode {
  const { words } = useSpoken();
  const { auditFields, when, what } = words.ofAdmin;
  return (
    <table className={`${ui["table"]} ${ui["stacked"]}`}>
      <TableHead names={[when, auditFields.account, auditFields.action, what]} />
      <tbody>
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </tbody>
    </table>
  );
}

function Entry({ entry }: { readonly entry: AuditEntryView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofAdmin } = words;
  const { at, account, token, session, address, action, target, request, outcome, before, after } = entry;
  return (
    <tr>
      <td>
        <time dateTime={at}>{format.moment(at, Date.now())}</time>
        <br />
        <Link href={storyPath(request)}>
          <code>{request}</code>
        </Link>
      </td>
      <td>
        <strong>{account}</strong>
        <br />
        <span className={ui["muted"]}>{[token ?? session, address].filter(Boolean).join(", ")}</span>
      </td>
      <td>
        <code>{action}</code>
        <br />
        <span className={outcome === "failed" ? ui["failed"] : ui["muted"]}>
          {outcome === "failed" ? "✕ " : ""}
          {ofAdmin.outcomes[outcome]}
        </span>
      </td>
      <td>
        <code>{target}</code>
        {(before !== null || after !== null) && (
          <details>
            <summary>{ofAdmin.beforeAfter}</summary>
            <dl className={ui["facts"]}>
              <dt>{ofAdmin.before}</dt>
              <dd>
                <code>{JSON.stringify(before)}</code>
              </dd>
              <dt>{ofAdmin.after}</dt>
              <dd>
                <code>{JSON.stringify(after)}</code>
              </dd>
            </dl>
          </details>
        )}
      </td>
    </tr>
  );
}
