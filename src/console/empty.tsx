/** Where nothing is: why, and the command that fills it. */
import type { ReactNode } from "react";

export function Empty({ says, command }: { readonly says: string; readonly command: string }): ReactNode {
  return (
    <p>
      {says} <code>{command}</code>
    </p>
  );
}
