/** Pages of the site map that the console has not yet: they say so, and name the command that shows the same. */
import type { ReactNode } from "react";
import { PageTitle } from "./title.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export type LaterPage = "admin" | "status" | "verify";

export function Later({ page }: { readonly page: LaterPage }): ReactNode {
  const { words } = useSpoken();
  const { says, command } = {
    admin: { says: words.laterAdmin, command: "waybill node list, waybill pool list, waybill audit" },
    status: { says: words.laterStatus, command: "waybill status" },
    verify: { says: words.laterVerify, command: "waybill receipt verify FILE" },
  }[page];
  return (
    <>
      <PageTitle title={words[page]} />
      <div className={ui["panel"]}>
        <h2>{words.laterTitle}</h2>
        <p>
          {says} <code>{command}</code>
        </p>
      </div>
    </>
  );
}
