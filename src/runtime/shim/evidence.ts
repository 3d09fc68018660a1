/** The shim's evidence on its way to the agent: one batch at a time, again after each new connection, until it is acknowledged. */
import type { EvidenceBatch } from "../../contract/agent.ts";
import { lastSeqOf } from "../../record/lines.ts";
import type { Acknowledgement, Shipper } from "../../record/ship.ts";
import type { Spool, SpoolOptions } from "../../record/spool.ts";

export interface EvidenceLine {
  readonly emitter: Spool;
  /** Called when something was written: what was acknowledged is no longer all. */
  onWritten(hear: () => void): void;
  /** The next batch; undefined while one is on its way, or there is nothing more. */
  next(): EvidenceBatch | undefined;
  acknowledge(mark: Acknowledgement): void;
  /** Another agent listens: what was on its way may be lost, so all goes again. */
  again(): void;
  /** Closes the emitter's epoch; its last records are still sent. */
  end(): Promise<void>;
  /** Nothing is on its way. Only after `end` and a `next` that gave nothing does it mean "all was heard". */
  readonly acknowledged: boolean;
}

/** `open`: opens the emitter's spool. */
export async function evidenceLine(
  open: (ports: Required<Pick<SpoolOptions, "onWritten">>) => Promise<Spool>,
  shipper: Shipper,
): Promise<EvidenceLine> {
  let sent: Acknowledgement | undefined;
  let written = (): void => undefined;
  const emitter = await open({ onWritten: () => written() });
  return {
    emitter,
    onWritten: (hear) => void (written = hear),
    next() {
      if (sent) return undefined;
      const batch = shipper.next();
      if (!batch) return undefined;
      sent = { emitter: batch.emitter, epoch: batch.epoch, seq: lastSeqOf(batch) };
      return batch;
    },
    acknowledge(mark) {
      if (!sent || mark.emitter !== sent.emitter || mark.epoch !== sent.epoch || mark.seq < sent.seq) return;
      shipper.acknowledge(mark);
      sent = undefined;
    },
    again() {
      shipper.rewind();
      sent = undefined;
    },
    end: () => emitter.close(),
    get acknowledged() {
      return sent === undefined;
    },
  };
}
