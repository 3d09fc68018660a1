import { sandboxedReplicas } from "../support/sandboxed-replicas.ts";

await sandboxedReplicas("crun", /crun ended with exit code 1: .*`\/nowhere\/python`: No such file or directory/);
