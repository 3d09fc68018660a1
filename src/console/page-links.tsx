/** To the pages of a list, which the address names: `?page=`. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export function Pages({
  page,
  next,
  here,
  asked,
}: {
  readonly page: string | null;
  readonly next: string | null;
  /** The address of the list, and what else it is asked for. */
  readonly here: string;
  readonly asked?: URLSearchParams;
}): ReactNode {
  const { words } = useSpoken();
  const at = (token: string | null): string => {
    const query = new URLSearchParams(asked);
    query.delete("page");
    if (token !== null) query.set("page", token);
    return query.size === 0 ? here : `${here}?${query.toString()}`;
  };
  if (page === null && next === null) return null;
  return (
    <p className={`${ui["row"]} ${ui["links"]}`}>
      {page !== null && <Link href={at(null)}>{words.ofStatus.newest}</Link>}
      {next !== null && <Link href={at(next)}>{words.ofStatus.earlier}</Link>}
    </p>
  );
}
