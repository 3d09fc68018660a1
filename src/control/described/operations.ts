/** All of our own API, route by route, and the routes beside it that are specified elsewhere. Each route of the API is in one of the two. */
import { anyRepo } from "../audited.ts";
import { accounts } from "./accounts.ts";
import { builds, calls, explain, pools, quota, receipts } from "./gpus.ts";
import type { Described, Operation } from "./operation.ts";
import { platform } from "./platform.ts";
import { spaces } from "./spaces.ts";
import { webhooks } from "./webhooks.ts";

export const operations: Readonly<Record<Described, Operation>> = {
  ...platform,
  ...accounts,
  ...spaces,
  ...builds,
  ...calls,
  ...quota,
  ...pools,
  ...receipts,
  ...explain,
  ...webhooks,
};

/** Of these paths OpenAPI can say no more than of the others: they are the same, with slashes in them. */
export const alsoAs: Readonly<Record<string, Described>> = {
  "GET /api/explain/:name{.+/.+/.+}": "GET /api/explain/:id",
};

export interface Elsewhere {
  readonly what: string;
  /** Who says what they take and answer. */
  readonly specified: string;
  readonly routes: readonly string[];
}

/** Not described here: others wrote how they are, and their clients use them unmodified. */
export const elsewhere: readonly Elsewhere[] = [
  {
    what: "Repositories in the Hub's form: files, commits, branches, tags, discussions, gated access, Xet",
    specified: "the Hugging Face Hub's API, https://huggingface.co/docs/hub/api; what of it works: docs/hub.md",
    routes: [
      "POST /api/repos/create",
      "DELETE /api/repos/delete",
      "POST /api/repos/move",
      "GET /api/settings/repositories",
      "POST /api/validate-yaml",
      "GET /api/models",
      "GET /api/datasets",
      "GET /api/spaces/templates",
      "GET /api/spaces/semantic-search",
      "GET /api/:kind{(?:models|datasets)}/:owner/:name",
      ...[
        ...["GET revision/:rev", "GET tree/:rev", "GET tree/:rev/:path{.+}", "POST paths-info/:rev", "GET refs"],
        ...["GET commits/:rev{.+}", "GET xet-read-token/:revision{.+}", "GET xet-write-token/:revision{.+}"],
        ...["GET auth-check", "GET auth-check/write", "PUT settings", "POST duplicate"],
        ...["GET user-access-request", "POST user-access-request", "DELETE user-access-request"],
        ...["GET user-access-request/:status{(?:pending|accepted|rejected)}"],
        ...["POST user-access-request/handle", "POST user-access-request/grant"],
        ...["POST preupload/:rev", "POST commit/:rev", "POST branch/:branch{.+}", "DELETE branch/:branch{.+}"],
        ...["POST tag/:rev{.+}", "DELETE tag/:rev{.+}", "POST super-squash/:branch{.+}"],
        ...["GET discussions", "POST discussions", "GET discussions/:num", "POST discussions/:num/comment"],
        ...["POST discussions/:num/title", "POST discussions/:num/status", "POST discussions/:num/merge"],
        ...["POST discussions/:num/comment/:comment/edit", "POST discussions/:num/comment/:comment/hide"],
      ].map((route) => route.replace(" ", ` ${anyRepo}/`)),
    ],
  },
  {
    what: "Signing a program in by a device code",
    specified: "RFC 8628; docs/identity.md",
    routes: ["POST /oauth/device", "POST /oauth/token"],
  },
  {
    what: "The log of receipts in tiles",
    specified: "C2SP tlog-tiles, https://c2sp.org/tlog-tiles; docs/receipts.md",
    routes: ["GET /checkpoint", "GET /tile/:level{[0-9]+}/:index{.+}"],
  },
  { what: "Metrics", specified: "the text format of Prometheus; docs/status.md", routes: ["GET /metrics"] },
];

/** The same of what other parts of the platform serve, beside the API's routes. */
export const besides: readonly Omit<Elsewhere, "routes">[] = [
  {
    what: "`GET /api/nodes/link`, a WebSocket by which agents join",
    specified: "src/contract/agent.ts; docs/decisions/0045-agents-on-other-machines.md",
  },
  {
    what: "Repositories by git, git-lfs and the Xet protocol, files by `/OWNER/NAME/resolve/REVISION/PATH`",
    specified: "docs/hub.md",
  },
  {
    what: "The OpenID provider for apps: `/.well-known/openid-configuration`, `/oauth/authorize`, `/oauth/userinfo`",
    specified: "OpenID Connect Core 1.0; docs/sign-in-to-apps.md",
  },
  {
    what: "Apps, by their own addresses: Gradio's routes among them, and `/.waybill/…`",
    specified: "each app; docs/network.md, docs/identity.md",
  },
];
