/** Tables, with the names of their columns. */
import type { CSSProperties, ReactNode } from "react";
import ui from "./ui.module.css";

export function TableHead({ names }: { readonly names: readonly string[] }): ReactNode {
  return (
    <thead>
      <tr>
        {names.map((name) => (
          <th key={name} scope="col">
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** Scrolls within itself where it is wider than the page; `label`: what the region is called. On a narrow screen a row's cells stand below each other, each behind its column's name. */
export function WideTable({
  label,
  names,
  isStacked = true,
  children,
}: {
  readonly label: string;
  readonly names: readonly string[];
  readonly isStacked?: boolean;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div className={ui["scrolled"]} tabIndex={0} role="region" aria-label={label}>
      <table
        className={isStacked ? `${ui["table"]} ${ui["stacked"]} ${ui["named"]}` : ui["table"]}
        style={isStacked ? namesForStyles(names) : undefined}
      >
        <TableHead names={names} />
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Texts as style sheets have them: `ui.module.css` puts each before its column's cells. */
function namesForStyles(names: readonly string[]): CSSProperties {
  return Object.fromEntries(names.map((name, at) => [`--column-${at + 1}`, JSON.stringify(`${name}: `)]));
}
