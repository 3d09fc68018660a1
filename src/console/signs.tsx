/** Whose a failure is: a colour, always with its glyph and its word. */
import type { ReactNode } from "react";
import type { Verdict } from "../evidence/verdict.ts";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

const glyphs: Readonly<Record<Verdict["owner"], string>> = {
  platform: "■",
  app: "●",
  visitor: "▲",
  outside: "◆",
  unknown: "?",
};

export function OwnerSign({ owner }: { readonly owner: Verdict["owner"] }): ReactNode {
  const { words } = useSpoken();
  return (
    <span className={ui[owner]}>
      {glyphs[owner]} {words.owners[owner]}
    </span>
  );
}
