/** Sentences of the platform's own, which are English whatever the page's language; what stands between backticks is code. */
import type { ReactNode } from "react";
import { piecesOf } from "./prose.ts";

export function Said({ text }: { readonly text: string }): ReactNode {
  return (
    <p lang="en">
      <SaidInline text={text} />
    </p>
  );
}

export function SaidInline({ text }: { readonly text: string }): ReactNode {
  return (
    <span lang="en">
      {piecesOf(text).map(({ text: piece, isCode }, at) => (isCode ? <code key={at}>{piece}</code> : piece))}
    </span>
  );
}
