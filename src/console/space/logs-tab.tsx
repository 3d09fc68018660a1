/** What a Space's newest replica prints, or an earlier one's, and between that what the platform says of it. */
import { useState } from "react";
import type { ReactNode } from "react";
import type { SpaceView } from "../../contract/api.ts";
import { SpaceLog } from "../log/log-view.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

export default function LogsTab({ space: { id, replicas } }: { readonly space: SpaceView }): ReactNode {
  const { words } = useSpoken();
  const [replica, setReplica] = useState("");
  return (
    <>
      <label className={ui["row"]}>
        {words.replica}
        <select className={ui["input"]} value={replica} onChange={({ target }) => setReplica(target.value)}>
          <option value="">{words.newestReplica}</option>
          <option value="previous">{words.previousReplica}</option>
          {replicas.map((one) => (
            <option key={one.id} value={one.id}>
              {one.id} {one.phase}
            </option>
          ))}
        </select>
      </label>
      <SpaceLog
        key={replica}
        space={id}
        replica={replica === "" ? null : replica}
        newest={replicas.at(-1)?.id ?? null}
      />
    </>
  );
}
