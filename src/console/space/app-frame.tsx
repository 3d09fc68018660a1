/** The app in a frame of the console: as whom it knows its visitor there, said above it. */
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { handOverPaths } from "../../contract/hand-over.ts";
import type { FrameView } from "../../contract/hand-over.ts";
import { ApiRefusal, order } from "../api.ts";
import { Failure, Loading } from "../asked.tsx";
import { useMe } from "../me.ts";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import styles from "./space.module.css";

/** It may do what an app needs, and not lead the console's own window away. */
const frameMay = "allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads";

/** `address`: where it may stand in a frame, of {@link frameAddress}. */
export function AppFrame({ id, address }: { readonly id: string; readonly address: string }): ReactNode {
  const { words } = useSpoken();
  const { data: me } = useMe();
  if (me === undefined) return <Loading what={id} />;
  if (me !== null) return <KnownFrame key={me.name} id={id} address={address} name={me.name} />;
  // What an earlier visit left in this frame is not a stranger's.
  return <Frame id={id} src={`${address}${handOverPaths.signOut}`} says={words.frameStranger} />;
}

/** Of who is signed in: by a ticket, which is good once, so it is asked for once and kept nowhere. */
function KnownFrame({
  id,
  address,
  name,
}: {
  readonly id: string;
  readonly address: string;
  readonly name: string;
}): ReactNode {
  const { words } = useSpoken();
  const [tries, setTries] = useState(0);
  const [given, setGiven] = useState<FrameView | Error>();
  useEffect(() => {
    let isOver = false;
    const give = (found: FrameView | Error): void => {
      if (!isOver) setGiven(found);
    };
    order("POST", `/api/spaces/${id}/frame`, { address }).then(
      (view) => give(view as FrameView),
      (error: unknown) => give(error instanceof Error ? error : new Error(String(error))),
    );
    return () => {
      isOver = true;
    };
  }, [id, address, tries]);
  if (given === undefined) return <Loading what={id} />;
  if (!(given instanceof Error)) return <Frame id={id} src={given.url} says={words.frameKnown(name)} />;
  if (given instanceof ApiRefusal && given.problem.code === "insecure")
    return <Frame id={id} src={address} says={words.frameInsecure} />;
  const again = (): void => {
    setGiven(undefined);
    setTries(tries + 1);
  };
  return <Failure error={given} again={again} />;
}

function Frame({ id, src, says }: { readonly id: string; readonly src: string; readonly says: string }): ReactNode {
  return (
    <>
      <p className={ui["muted"]}>{says}</p>
      {/* The app's address learns that the console has the frame, and not on which page. */}
      <iframe className={styles["frame"]} src={src} sandbox={frameMay} title={id} referrerPolicy="origin" />
    </>
  );
}
