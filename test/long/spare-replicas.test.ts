import { sandboxedReplicas } from "../support/sandboxed-replicas.ts";

await sandboxedReplicas("bubblewrap", /bwrap: Can't find source path \/nowhere\/python/, true);
