/** The files of a Space's repository, as its main branch has them. */
import type { ReactNode } from "react";
import { Link, useSearch } from "wouter";
import { addressOf, pathOf } from "../find.ts";
import { Asked, useAsked } from "../asked.tsx";
import { deployTo, Empty } from "../empty.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

/** The Hub's form. */
interface TreeEntry {
  readonly type: "file" | "directory";
  readonly path: string;
  readonly size: number;
}

export function FilesTab({ id }: { readonly id: string }): ReactNode {
  const { words, format } = useSpoken();
  const folder = new URLSearchParams(useSearch()).get("folder") ?? "";
  const tree = useAsked<readonly TreeEntry[]>(
    `/api/spaces/${id}/tree/main${folder === "" ? "" : `/${pathOf(folder)}`}`,
  );
  const to = (path: string): string => addressOf(`/spaces/${id}/files`, { folder: path });
  const above = folder.split("/").slice(0, -1).join("/");
  return (
    <>
      <h2>
        <code>/{folder}</code>
      </h2>
      <Asked asked={tree} what={words.files}>
        {(entries) =>
          entries.length === 0 && folder === "" ? (
            <div className={ui["panel"]}>
              <Empty says={words.noFiles} command={deployTo(id)} />
            </div>
          ) : (
            <ul className={ui["list"]}>
              {folder !== "" && (
                <li>
                  <Link href={to(above)}>..</Link>
                </li>
              )}
              {entries.map(({ type, path, size }) => (
                <li key={path} className={ui["spread"]}>
                  {type === "directory" ? (
                    <Link href={to(path)}>
                      <bdi>{path.split("/").at(-1)}</bdi>/
                    </Link>
                  ) : (
                    <a href={`/spaces/${id}/resolve/main/${pathOf(path)}`}>
                      <bdi>{path.split("/").at(-1)}</bdi>
                    </a>
                  )}
                  {type === "file" && <span className={ui["muted"]}>{words.bytes(format.number(size))}</span>}
                </li>
              ))}
            </ul>
          )
        }
      </Asked>
    </>
  );
}
