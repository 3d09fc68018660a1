/** A page's heading, which is its title in the browser too. */
import { useEffect } from "react";
import type { ReactNode } from "react";

export function PageTitle({ title, children }: { readonly title: string; readonly children?: ReactNode }): ReactNode {
  useEffect(() => {
    document.title = `${title} - Waybill`;
  }, [title]);
  return <h1>{children ?? title}</h1>;
}
