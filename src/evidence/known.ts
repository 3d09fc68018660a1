/** The catalogue of explained behaviour: what is as it should be, so that it is not reported as a fault. A verdict cites a row by id. */

export const known = {
  "waiting-is-free":
    "A hold is set aside while a call waits, and is no charge: waiting costs nothing, and the hold comes back in full.",
  "xlarge-costs-twice": "A call of size xlarge takes a whole card and costs twice its time.",
  "declared-gates-admission":
    "The declared duration decides whether a call is let in; only the time that is used is charged.",
  "holds-count-against-quota":
    "Open calls hold their worst case, and what is held cannot be spent by another call until they end.",
  "clipped-lease": "With less time left than declared, a call may run for what is left, and ends there.",
  "counted-by-address":
    "A request without a sign-in is counted by its address, with everyone else behind that address.",
  "visitor-left-is-metered": "A function that runs on after its visitor left is charged until it releases the GPU.",
  "lease-counts-from-attach": "A lease counts from the moment the function begins on the GPU, not from the grant.",
  "killed-is-free-at-first":
    "A worker that was killed with nothing to say by whom costs nothing three times a day; after that its time is charged.",
  "platform-fault-is-free": "What ends by a fault of the platform, its nodes or their devices is charged 0.",
  "free-runs-do-not-count": "A run that ended without a charge does not count against the window's runs.",
  "owner-pays-for-visitors":
    "A Space's owner may pay for its visitors up to a budget; calls that run when it is used up go on to their end.",
  "limits-of-one-token":
    "One request's token admits so many calls and so much GPU time, since the app's code can read it. Spaces that it is passed on to share it.",
  "delivered-is-not-read":
    "Bytes that the app's socket took are delivered; only the first byte of an answer proves that the app read them.",
  "counted-not-recorded":
    "Refusals that anyone can cause without an account are counted by code, host, address block and minute, and what a node says of others' by node and minute; they are not recorded one by one.",
  "app-status-is-the-apps":
    "An answer that the app gave, of whatever status, is the app's own: the platform only carried it.",
} as const;

export type KnownId = keyof typeof known;
