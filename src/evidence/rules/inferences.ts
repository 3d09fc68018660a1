/**
 * The closed list of inferences: what a verdict concludes beyond what a part wrote down. A rule that names another one does not compile.
 * Each demands of the record what its row says; where that is missing, `unknown` is the answer.
 */
interface InferenceRow {
  /** What it concludes. */
  readonly concludes: string;
  /** What has to be recorded for it. */
  readonly from: string;
}

export const inferences = {
  "absent-from-answer": {
    concludes: "a request never reached the replica",
    from: "the edge's closed attempt, and the shim's synced answer past it that does not have it",
  },
  again: {
    concludes: "an app that ended is being started again",
    from: "an exit with `again: true`, and no other end",
  },
  "app-ended": {
    concludes: "the replica that took a request has ended since",
    from: "that replica's own `replica.exit` with a code of the app's",
  },
  "by-the-apps-words": {
    concludes: "the card had no memory left",
    from: "CUDA's words in the error of a Gradio event",
  },
  "call-ended-it": {
    concludes: "a Gradio event failed since its GPU call did",
    from: "the event's error, and its newest call's own end",
  },
  "count-not-final": {
    concludes: "how far a request came, as far as the shim has counted",
    from: "a count of the shim's that is not final, or does not cover the request",
  },
  "emitter-died": {
    concludes: "a process's death ended the work that it carried",
    from: "its epoch, over without closing and without a hole; the work under way in it; no other end",
  },
  "goes-on": {
    concludes: "only a process of the app was ended",
    from: "an end for a card without a lease, and no end of the replica",
  },
  "ledger-state": {
    concludes: "a node is lost, or its cards are out of use",
    from: "the ledger's state of it, where the record that brought it there is not in what was read",
  },
  "loop-by-header": {
    concludes: "a request runs in a circle",
    from: "the passes that its `CDN-Loop` names, which any client can write",
  },
  "newest-replica-untold": {
    concludes: "a Space fails by what its build met",
    from: "the build's end, while that of its newest replica is not recorded",
  },
  "replica-ended": {
    concludes: "a socket was gone since its replica had ended",
    from: "the replica's own end, and an edge that found nobody at the socket",
  },
  "replica-stopping": {
    concludes: "the platform ended the app that carried a request",
    from: "the shim's answer: it had begun to end the app before the connection closed",
  },
  "socket-unreachable": {
    concludes: "a replica's shim is dead",
    from: "an edge that found nobody at its socket",
  },
  "stream-broke": {
    concludes: "a Gradio event went as the answer that carried it",
    from: "the event's broken stream, and that request's own verdict",
  },
  "stream-ended-with-error": {
    concludes: "all events of an app ended with it",
    from: "an error that the app told of its whole stream, and its replica's end where that is recorded",
  },
  summary: {
    concludes: "ends recorded of one replica belong to one end",
    from: "a crash loop, a start in vain or a shim's death beside the exits that it sums up",
  },
  "taker-died": {
    concludes: "a request was lost with the shim that had it",
    from: "the replica's own record of its shim's death, and a hand-over without an answer",
  },
  "taker-silent": {
    concludes: "a builder is gone",
    from: "the server's word, while the builder's own record is not over",
  },
  "went-on-after-call": {
    concludes: "a Gradio event failed by its own function",
    from: "an error in other words than Gradio's GPU client's, and a call after the one that the platform ended",
  },
} as const satisfies Readonly<Record<string, InferenceRow>>;

export type InferenceRule = keyof typeof inferences;
