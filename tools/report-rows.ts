/** What people reported of a hosted platform, one row a page of docs/reports/: what it looks like, where it is lost, and which faults show how it is told apart here. */

export interface ReportRow {
  /** The page's file name, and its place among the pages. */
  readonly slug: string;
  readonly title: string;
  /** What one would see elsewhere. */
  readonly elsewhere: string;
  /** Why nobody can say whose fault that is: where the evidence ends. */
  readonly lost: string;
  /** What is different here. */
  readonly here: string;
  /** Where the reports are. */
  readonly links: readonly string[];
  /** Cases and controls of the fault injector, by their names in test/faults/recorded/waybills.jsonl. */
  readonly cases: readonly string[];
}

const hubIssue = (number: number): string => `https://github.com/huggingface/huggingface_hub/issues/${number}`;

export const reportRows: readonly ReportRow[] = [
  {
    slug: "build-never-starts",
    title: "The build does not start, and its log is empty",
    elsewhere:
      "The files are right, the Space stands at “Building” or “Queued”, and the log has no line. Sometimes all Spaces of one SDK stand so and others do not; sometimes the queue turns into “Paused”.",
    lost: "The log begins with the first command, so all that happens before leaves no trace: waiting for a builder, having none for this SDK, and having lost one look the same.",
    here: "A build's log has its first line when it is queued: the position, what keeps it there, and a deadline that ends the wait with a code. That no builder serves an SDK is said at once, and a builder that dies is named.",
    links: [hubIssue(3452)],
    cases: [
      "build/no-builder: an SDK that this platform does not build",
      "build/queue-timeout: another build keeps the builder",
      "build/builder-lost: kill -9 of the platform in the middle of each attempt of a build",
    ],
  },
  {
    slug: "paused-and-cannot-be-restarted",
    title: "The Space is paused, and restarting it answers 503",
    elsewhere:
      "A Space is shown as paused, its owner did not do that, and each try to restart or rebuild it is refused.",
    lost: "The state has no reason: an owner's wish, an operator's, a budget and a fault of the control plane are one word.",
    here: "A state says who brought it about, by which rule, since when, what ends it and who can; `waybill explain OWNER/NAME` tells it, a restart that is refused says it, and so does each visitor's answer.",
    links: [],
    cases: [
      "control: a visitor comes to a Space that its owner has paused",
      "route/not-running: its first build goes on",
    ],
  },
  {
    slug: "503-that-the-app-never-saw",
    title: "The app runs, some requests get 503, and its log has none of them",
    elsewhere:
      "The server prints that it listens and answers most requests. Some get a 503, or an empty answer from something in between, and the app's log knows nothing of them.",
    lost: "Whoever sees only the status cannot tell an answer of the app's from one of the proxy's, and whoever sees only the app's log cannot tell a request that never came from one that was never logged.",
    here: "An answer that the edge makes itself carries `Proxy-Status` with a code and an id; the app's own 503 carries none. Whether the app's socket took a request is proved by the count of the process beside it, to the byte: *not accepted*, *delivered and never answered*, and *answered and cut* are three verdicts.",
    links: [],
    cases: [
      "route/connect-timeout: not accepted: the app is stopped and its queue of connections is full",
      "route/response-timeout: delivered and never answered: the app is stopped",
      "route/reset-midway: the app destroys the socket without a word",
      "control: the app's own 503",
    ],
  },
  {
    slug: "charged-while-waiting",
    title: "GPU time is gone, and no GPU was ever there",
    elsewhere:
      "The page says that it waits for a GPU; after a while, that none was available. The quota is less than before by about what the function declares.",
    lost: "What is set aside for a call and what a call has used are shown as one number, and nothing says whether the function was entered.",
    here: "A hold is shown as a hold. Waiting costs nothing: the hold comes back in full, with its time, and the record has that the function was never entered.",
    links: [],
    cases: ["gpu/queue-timeout: every slot is leased", "gpu/visitor-left: while queued"],
  },
  {
    slug: "no-gpu-at-any-time",
    title: "There is never a GPU, at whichever time of day",
    elsewhere: "Each call waits and ends without a card, for hours. Others seem to get one.",
    lost: "The queue shows no reason: a pool without cards, one that is being repaired, one that is full, and a rule that lets others first look the same.",
    here: "A call says its place, all that keeps it waiting and by which rule others have their turn before it; a pool without usable cards refuses at once, and says who took them out of use or what they have.",
    links: [],
    cases: [
      "gpu/no-capacity: the pool was never given a card",
      "capacity/pool-draining: the node was drained before the call came",
      "gpu/queue-full: one waits and no more may",
    ],
  },
  {
    slug: "quota-exceeded-with-enough-left",
    title: "“Quota exceeded”, with more left than was asked for",
    elsewhere:
      "The message names less time than the account has left. Later it is explained: the larger size costs double, and the display does not say so.",
    lost: "The price is a rule that nobody sees before the call; so known behaviour looks like a fault.",
    here: "`waybill quote` and every refusal name size, factor and hold before anything is set aside; the receipt has them after. That a whole card costs twice is in the catalogue of explained behaviour, which a verdict cites.",
    links: [],
    cases: ["gpu/quota-exceeded: a whole card for ten minutes, on a free account", "control: a whole card costs twice"],
  },
  {
    slug: "quota-exceeded-that-was-a-count",
    title: "“Quota exceeded” that was a limit on the number of runs",
    elsewhere: "Minutes are left, and the message says that the quota is exceeded. It was the number of runs.",
    lost: "One message stands for several limits.",
    here: "Each limit has a code and a name of its own, with what is left of it and when it is whole again.",
    links: [],
    cases: [
      "gpu/runs-exceeded: one run more than the tier's window allows",
      "gpu/account-busy: a second call where the tier allows one at once",
    ],
  },
  {
    slug: "counted-as-a-stranger",
    title: "Who pays is counted as a stranger",
    elsewhere:
      "A signed-in, paying person's calls are counted by their address: through a page of one's own, through an API client, from another Space.",
    lost: "Who the caller was taken for, and why, is shown to nobody. A credential that does not hold is passed over, and the call goes on as a stranger's.",
    here: "Each call and request says as whom it was counted and how that is known. What carries no credential is counted by its address; one that does not hold is refused with the reason, and never passed over.",
    links: ["https://github.com/gradio-app/gradio/issues/13209", "https://github.com/gradio-app/gradio/pull/13210"],
    cases: [
      "gpu/quota-exceeded: a visitor without an account",
      "identity/token-expired: an access token is used after its time",
      "identity/bad-token: an access token of alice's without its scheme",
      "identity/wrong-audience: the app uses a token that a visitor gave to another Space",
    ],
  },
  {
    slug: "transfer-that-stands-still",
    title: "A download or an upload stands still, some at 99 %",
    elsewhere:
      "The bar stops and nothing says why. Switching the faster protocol off does not seem to switch it off; a new try stops elsewhere.",
    lost: "Token, negotiation, chunks, ranges, the cache, the disk and the client itself are all behind one bar.",
    here: "A file or a pack on its way is a work with an id, in the answer's `X-Waybill-Id`: how far it came by which way, whether the client or the platform is waited for and since when, what ended it, by digest. A client that fell back to plain HTTP is told so.",
    links: [hubIssue(3266), hubIssue(3868), hubIssue(4085)],
    cases: [
      "transfer/stalled: a client reads nothing more of its file",
      "transfer/client-left: a client closes its connection in the middle of its file",
      "transfer/range-mismatch: a client goes on behind the end of the file",
      "transfer/digest-mismatch: other bytes are sent than were announced",
    ],
  },
  {
    slug: "external-api-unreachable",
    title: "The app cannot reach an API that is there",
    elsewhere:
      "A request of the app's fails: the name does not resolve, the connection is refused, or it depends on where one tries it from.",
    lost: "The app's log has an error of its library. The platform's rules, its resolver and the other side's refusal are the same to it.",
    here: "All that leaves a sandbox goes through a gateway that says in the app's own log what it decided, by which rule, with an id; what the other side did is told apart, and is not the platform's.",
    links: [],
    cases: [
      "egress/name-denied: a name that the operator denies",
      "egress/dns-failed: a name that does not exist",
      "egress/dial-timeout: the other side answers no packet",
      "egress/remote-refused: the other side resets what it had accepted",
    ],
  },
  {
    slug: "no-kernel-image",
    title: "“No kernel image is available” after the cards were changed",
    elsewhere:
      "An app that worked fails in its first GPU call, with an error of CUDA's about an architecture that its author never chose.",
    lost: "What the platform promises an app to run on is written nowhere, so nobody can say which side changed.",
    here: "The code in a build's wheels is compared with the cards that its calls will have, before anything is charged: the build fails with both sides named. A node whose driver is older than the one that the app was built for takes no call of it.",
    links: [],
    cases: [
      "runtime/arch-mismatch: the wheel has no code for the pool's cards: the build",
      "runtime/driver-too-old: the node has an older driver than when the app was built: a call",
    ],
  },
  {
    slug: "which-rule-acted",
    title: "There are more and more rules, and nobody says which one acted",
    elsewhere:
      "As cards get scarce there are more queues, budgets, fallback pools and limits. A call is refused or waits, with one word for all of them.",
    lost: "Rules act in places that do not tell of each other.",
    here: "Every rule that acted stands in the record by its name, with its numbers and how it is lifted, and those of pools and routes in the receipt too.",
    links: [],
    cases: [
      "gpu/budget-exceeded: the owner pays for visitors, up to five seconds, and nobody else does",
      "gpu/space-busy: a second visitor's call where the pool allows a Space one at once",
      "gpu/token-cap: one request makes more calls than its token admits",
    ],
  },
];
