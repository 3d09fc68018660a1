import { lockFolder } from "../journal/index.ts";

/** One agent at a time works on a node's folder: two would end each other's apps. As `lockFolder`. */
export function lockNode(folder: string): Disposable {
  return lockFolder(folder, "agent.lock");
}
