/** Who asked for the app and who answered; the filters are part of the page's address. */
import type { FormEvent, ReactNode } from "react";
import { Link, useLocation, useSearch } from "wouter";
import type { SpaceView } from "../../contract/api.ts";
import type { RequestView } from "../../contract/requests.ts";
import { movesEveryMs } from "../asked.tsx";
import { Empty } from "../empty.tsx";
import { AppLink } from "../home.tsx";
import { useMe } from "../me.ts";
import { Paged } from "../pages.tsx";
import { WideTable } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

const filters = ["status", "who", "method", "grep", "failed"] as const;

export function RequestsTab({ space: { id, addresses } }: { readonly space: SpaceView }): ReactNode {
  const { words, format } = useSpoken();
  const { data: me } = useMe();
  const [first] = addresses;
  const [, go] = useLocation();
  const asked = new URLSearchParams(useSearch());
  const isLive = asked.get("live") === "1";
  const query = new URLSearchParams();
  for (const name of filters) {
    const value = asked.get(name);
    if (value !== null && value !== "") query.set(name, value);
  }
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const wished = new URLSearchParams();
    for (const [name, value] of new FormData(event.currentTarget))
      if (typeof value === "string" && value !== "") wished.set(name, value);
    go(`/spaces/${id}/requests?${wished.toString()}`);
  };
  return (
    <>
      <form key={asked.toString()} className={ui["row"]} onSubmit={onSubmit}>
        <input
          className={ui["input"]}
          name="grep"
          type="search"
          aria-label={words.requestsFind}
          placeholder={words.requestsFind}
          maxLength={200}
          size={30}
          defaultValue={query.get("grep") ?? ""}
        />
        <select
          className={ui["input"]}
          name="status"
          aria-label={words.status}
          defaultValue={query.get("status") ?? ""}
        >
          <option value="">{words.anyStatus}</option>
          {["2xx", "3xx", "4xx", "5xx", "0xx"].map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <select className={ui["input"]} name="who" aria-label={words.answeredBy} defaultValue={query.get("who") ?? ""}>
          <option value="">{words.anybody}</option>
          {(["app", "edge", "nobody"] as const).map((one) => (
            <option key={one} value={one}>
              {words.answerers[one]}
            </option>
          ))}
        </select>
        <label className={ui["row"]}>
          <input name="failed" type="checkbox" value="1" defaultChecked={query.get("failed") === "1"} />
          {words.failedAlone}
        </label>
        <label className={ui["row"]}>
          <input name="live" type="checkbox" value="1" defaultChecked={isLive} />
          {words.asTheyEnd}
        </label>
        <button type="submit" className={ui["button"]}>
          {words.find}
        </button>
      </form>
      <Paged<RequestView>
        path={`/api/spaces/${id}/requests?${query.toString()}`}
        what={words.requests}
        everyMs={isLive ? movesEveryMs : undefined}
        empty={
          query.size > 0 ? (
            <p>{words.noSuchRequests}</p>
          ) : (
            <Empty says={words.noRequests}>
              {first !== undefined && <AppLink address={first} isSignedIn={Boolean(me)} />}
            </Empty>
          )
        }
      >
        {(requests) => (
          <WideTable
            label={words.requests}
            names={[words.time, words.request, words.status, words.answeredBy, words.duration, words.who, "id"]}
          >
            {requests.map(({ id: request, at, method, path, status, answeredBy, code, ms, account }) => (
              <tr key={request}>
                <td className={ui["whole"]}>{format.exact(at)}</td>
                <td>
                  <code>
                    {method} {path}
                  </code>
                </td>
                <td className={status >= 500 || code !== null ? ui["failed"] : undefined}>
                  {status >= 500 || code !== null ? "✕ " : ""}
                  {status === 0 ? words.never : status} {code !== null && <code>{code}</code>}
                </td>
                <td>{words.answerers[answeredBy]}</td>
                <td className={ui["amount"]}>{format.short(ms)}</td>
                <td>{account}</td>
                <td>
                  <Link href={`/w/${request}`}>{request}</Link>
                </td>
              </tr>
            ))}
          </WideTable>
        )}
      </Paged>
    </>
  );
}
