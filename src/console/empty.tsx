/** Where nothing is: why, and the command that fills it, or the link to where that is done. */
import type { ReactNode } from "react";

type By = { readonly command: string } | { readonly children: ReactNode };

export function Empty({ says, ...by }: { readonly says: string } & By): ReactNode {
  return (
    <p>
      {says} {"command" in by ? <code>{by.command}</code> : by.children}
    </p>
  );
}

/** What makes a Space, or brings files to one. */
export function deployTo(space: string): string {
  return `waybill deploy ./my-app --space ${space}`;
}

/** What calls a function of a Space. */
export function callOf(space: string): string {
  return `waybill call ${space} /FUNCTION`;
}
