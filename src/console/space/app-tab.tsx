/** A Space's app: its addresses, the app in a frame where it can stand in one, and how it is closed off. */
import { useState } from "react";
import type { ReactNode } from "react";
import type { SpaceView } from "../../contract/api.ts";
import { handOverPaths } from "../../contract/hand-over.ts";
import { buildLimitsSay, isOpen, limitsSay, probesSay } from "../../contract/isolation.ts";
import { AppLinks } from "../home.tsx";
import { useMe } from "../me.ts";
import { Said } from "../said.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import { AppFrame } from "./app-frame.tsx";
import { frameAddress } from "./frame.ts";
import { VisitorBar } from "./visitor-bar.tsx";
import styles from "./space.module.css";

export function AppTab({ space }: { readonly space: SpaceView }): ReactNode {
  const { words } = useSpoken();
  const { data: me } = useMe();
  const [isShown, setShown] = useState(false);
  const frame = frameAddress(space.addresses, location.hostname);
  const first = space.addresses[0];
  return (
    <>
      <VisitorBar id={space.id} />
      <div className={ui["row"]}>
        {first !== undefined && (
          <a
            className={ui["target"]}
            href={me ? `${first}${handOverPaths.signIn}` : first}
            target="_blank"
            rel="noopener"
          >
            {words.ownTab}
          </a>
        )}
        {frame !== null && (
          <button type="button" className={ui["button"]} aria-pressed={isShown} onClick={() => setShown(!isShown)}>
            {isShown ? words.frameHide : words.frameShow}
          </button>
        )}
      </div>
      {isShown && frame !== null && <AppFrame id={space.id} address={frame} />}
      <h2>{words.addresses}</h2>
      <AppLinks addresses={space.addresses} isSignedIn={Boolean(me)} />
      <Closed space={space} />
    </>
  );
}

function Closed({ space: { isolation, limits, sdk } }: { readonly space: SpaceView }): ReactNode {
  const { words } = useSpoken();
  if (isolation === undefined) return null;
  const probes = probesSay(isolation);
  const why =
    sdk === "static" ? words.limitsStatic : isolation.level === "none" ? words.limitsNone : words.limitsNotReady;
  return (
    <>
      <h2>
        {words.isolation}: <code>{isolation.level}</code>
      </h2>
      <div className={ui["panel"]}>
        <Said text={isolation.says} />
        {probes !== null && (
          <div className={isOpen(isolation) ? ui["failed"] : ui["muted"]}>
            <Said text={probes} />
          </div>
        )}
      </div>
      <h2>{words.limitsOfApp}</h2>
      {limits === null ? <p className={ui["panel"]}>{why}</p> : <Limits rows={limitsSay(limits)} />}
      <h2>{words.limitsOfBuild}</h2>
      {isolation.builds === undefined ? (
        <p className={ui["panel"]}>{words.limitsPlainBuild}</p>
      ) : (
        <Limits rows={buildLimitsSay(isolation.builds)} />
      )}
    </>
  );
}

function Limits({ rows }: { readonly rows: ReturnType<typeof limitsSay> }): ReactNode {
  return (
    <dl className={`${ui["facts"]} ${ui["panel"]}`} lang="en">
      {rows.map(([name, says]) => (
        <div key={name} className={styles["pair"]}>
          <dt>{name}</dt>
          <dd>{says}</dd>
        </div>
      ))}
    </dl>
  );
}
