/** Accounts, and of the one that the address names what it may use and what it was given. */
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { Link, useSearch } from "wouter";
import type { AccountView, CreateAccount } from "../../contract/identity.ts";
import { accountPath, addressOf } from "../find.ts";
import { useRested } from "../late.ts";
import { Paged } from "../pages.tsx";
import { TableHead } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import { AllowancesPart } from "./allowances.tsx";
import { Sent, useSending } from "../sending.tsx";
import { textsOf } from "./settings.ts";
import ui from "../ui.module.css";
import styles from "./admin.module.css";

const accountsPath = "/api/accounts";
const tiers = ["free", "pro", "enterprise", "unlimited"] as const;
/** Rows that come at once; others as somebody asks for more. */
const rowsOfPage = 50;
/** Who types is asked for nothing in between. */
const restMs = 200;

export function AccountsPart(): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const name = new URLSearchParams(useSearch()).get("account");
  const [text, setText] = useState("");
  const search = useRested(text.trim(), restMs);
  return (
    <>
      {name !== null && <AllowancesPart key={name} account={name} />}
      <label className={ui["row"]}>
        {ofAdmin.findAccount}
        <input
          className={ui["input"]}
          type="search"
          value={text}
          maxLength={200}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      <Paged<AccountView>
        path={addressOf(accountsPath, { limit: String(rowsOfPage), search })}
        what={ofAdmin.parts.accounts}
        empty={<p>{ofAdmin.noSuchAccount}</p>}
      >
        {(accounts) => <Accounts accounts={accounts} />}
      </Paged>
      <MakeAccount />
    </>
  );
}

function Accounts({ accounts }: { readonly accounts: readonly AccountView[] }): ReactNode {
  const { words, format } = useSpoken();
  const { ofAdmin } = words;
  return (
    <table className={`${ui["table"]} ${ui["stacked"]}`}>
      <TableHead names={[ofAdmin.account, ofAdmin.tier, ofAdmin.role, ofAdmin.made]} />
      <tbody>
        {accounts.map(({ name, kind, tier, role, createdAt }) => (
          <tr key={name}>
            <td>
              <Link href={accountPath(name)}>{name}</Link>{" "}
              {kind === "organisation" && <span className={ui["badge"]}>{ofAdmin.organisation}</span>}
            </td>
            <td>{tier}</td>
            <td>{ofAdmin.roles[role]}</td>
            <td>{format.day(createdAt)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function MakeAccount(): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const sending = useSending();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const { name = "", tier, organisation, admin = "" } = textsOf(new FormData(form));
    const body: CreateAccount = {
      name,
      tier: tiers.find((one) => one === tier) ?? "free",
      ...(organisation === "on" && { organisation: true, ...(admin !== "" && { admin }) }),
    };
    sending.mutate({ method: "POST", path: accountsPath, body }, { onSuccess: () => form.reset() });
  };
  return (
    <details>
      <summary>{ofAdmin.makeAccount}</summary>
      <form onSubmit={onSubmit}>
        <div className={styles["fields"]}>
          <label className={ui["field"]}>
            {ofAdmin.name}
            <input name="name" required maxLength={64} autoComplete="off" />
          </label>
          <label className={ui["field"]}>
            {ofAdmin.tier}
            <select name="tier">
              {tiers.map((tier) => (
                <option key={tier}>{tier}</option>
              ))}
            </select>
          </label>
          <label className={ui["field"]}>
            {ofAdmin.firstAdmin}
            <input name="admin" maxLength={64} autoComplete="off" />
          </label>
        </div>
        <label className={ui["row"]}>
          <input type="checkbox" name="organisation" /> {ofAdmin.isOrganisation}
        </label>
        <button type="submit" className={ui["button"]} disabled={sending.isPending}>
          {ofAdmin.makeAccount}
        </button>
      </form>
      <Sent sending={sending} />
    </details>
  );
}
