/** Copies a text, and says that it did. */
import { useState } from "react";
import type { ReactNode } from "react";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export function CopyButton({
  text,
  children,
}: {
  readonly text: () => string;
  readonly children: ReactNode;
}): ReactNode {
  const { words } = useSpoken();
  const [said, setSaid] = useState("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setSaid(words.copied);
    } catch {
      // A browser that lets no page write there: the text is on the page.
      setSaid("✕");
    }
  };
  return (
    <span className={ui["row"]}>
      <button type="button" className={ui["button"]} onClick={() => void copy()}>
        {children}
      </button>
      <span role="status">{said}</span>
    </span>
  );
}
