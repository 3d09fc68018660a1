/** `/verify`: whether a receipt that somebody kept is genuine. All of it happens in the page: no request is made. */
import { useEffect, useRef, useState } from "react";
import type { DragEvent, FormEvent, ReactNode } from "react";
import { PageTitle } from "../title.tsx";
import { useSpoken } from "../words/words.tsx";
import { canVerify, check, forgetLogs } from "./checking.ts";
import type { Found } from "./checking.ts";
import { keysIn, readJson, receiptMaxBytes } from "./reading.ts";
import type { Read, TrustedKeys } from "./reading.ts";
import { Result } from "./result.tsx";
import ui from "../ui.module.css";
import styles from "./verify.module.css";

type Shown =
  | { readonly is: "nothing" }
  | { readonly is: "unreadable"; readonly why: "empty" | "too-large" | "not-json" }
  | { readonly is: "checked"; readonly document: unknown; readonly found: Found };

export function VerifyPage(): ReactNode {
  const { words, format } = useSpoken();
  const { ofVerify } = words;
  const [shown, setShown] = useState<Shown>({ is: "nothing" });
  const [keys, setKeys] = useState<TrustedKeys>();
  const [isAble, setAble] = useState(true);
  /** A file that was chosen later is the one that is shown, whichever is read first. */
  const turn = useRef(0);
  useEffect(() => void canVerify().then(setAble), []);

  const verify = async (reading: Promise<Read>, by = keys): Promise<void> => {
    turn.current += 1;
    const mine = turn.current;
    const read = await reading;
    const next: Shown =
      "wrong" in read
        ? { is: "unreadable", why: read.wrong }
        : {
            ...{ is: "checked", document: read.document },
            found: await check(read.document, by, (time) => format.moment(time, Date.now())),
          };
    if (mine === turn.current) setShown(next);
  };
  const onKeys = (trusted: TrustedKeys | undefined): void => {
    setKeys(trusted);
    if (shown.is === "checked") void verify(Promise.resolve({ document: shown.document }), trusted);
  };
  const onPaste = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get("text");
    void verify(Promise.resolve(readJson(typeof text === "string" ? text : "")));
  };
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (file && isAble) void verify(textOf(file).then(readJson));
  };
  return (
    <>
      <PageTitle title={ofVerify.title} />
      <p>{ofVerify.offline}</p>
      {!isAble && (
        <p className={ui["panel"]} role="alert">
          <span className={ui["failed"]}>✕ {ofVerify.unable}</span> <code>waybill receipt verify FILE</code>
        </p>
      )}
      <div
        className={`${ui["panel"]} ${styles["drop"]}`}
        onDragOver={(event) => event.preventDefault()}
        onDrop={onDrop}
      >
        <label className={ui["field"]}>
          {ofVerify.choose}
          <input
            type="file"
            accept=".json,application/json"
            disabled={!isAble}
            onChange={({ target }) => {
              const file = target.files?.[0];
              if (file) void verify(textOf(file).then(readJson));
            }}
          />
        </label>
        <form onSubmit={onPaste}>
          <label className={ui["field"]}>
            {ofVerify.paste}
            <textarea name="text" rows={4} spellCheck={false} autoComplete="off" />
          </label>
          <button type="submit" className={ui["button"]} disabled={!isAble}>
            {ofVerify.verify}
          </button>
        </form>
        <p className={ui["muted"]}>
          {ofVerify.where} <code>waybill receipt show ID --json</code>
        </p>
      </div>
      <details>
        <summary>{ofVerify.against}</summary>
        <Keys keys={keys} onKeys={onKeys} />
        <p>
          {ofVerify.remembers}{" "}
          <button type="button" className={ui["button"]} onClick={forgetLogs}>
            {ofVerify.forget}
          </button>
        </p>
      </details>
      <div role="status">
        {shown.is === "unreadable" && <p className={ui["failed"]}>✕ {ofVerify.unreadable[shown.why]}</p>}
        {shown.is === "checked" && <Result document={shown.document} found={shown.found} />}
      </div>
    </>
  );
}

/** Keys that came another way than the receipt: then it is the platform's word, and not the file's own. */
function Keys({
  keys,
  onKeys,
}: {
  readonly keys: TrustedKeys | undefined;
  onKeys(keys: TrustedKeys | undefined): void;
}): ReactNode {
  const { words } = useSpoken();
  const { ofVerify } = words;
  const [isNone, setNone] = useState(false);
  const read = async (file: File | undefined): Promise<void> => {
    const found = file && readJson(await textOf(file));
    const trusted = found && "document" in found ? keysIn(found.document) : undefined;
    setNone(file !== undefined && trusted === undefined);
    onKeys(trusted);
  };
  return (
    <>
      <label className={ui["field"]}>
        <span>
          {ofVerify.keys} <code>waybill receipt key list --json</code>
        </span>
        <input type="file" accept=".json,application/json" onChange={({ target }) => void read(target.files?.[0])} />
      </label>
      <p role="status">
        {keys !== undefined && ofVerify.keysRead(keys.length)}
        {isNone && <span className={ui["failed"]}>✕ {ofVerify.noKeys}</span>}
      </p>
    </>
  );
}

/** Of one that is far too large only as much as tells so. */
function textOf(file: File): Promise<string> {
  return file.slice(0, 4 * receiptMaxBytes).text();
}
