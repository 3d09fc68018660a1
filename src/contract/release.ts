/** A release on a node's disk: a folder that never changes, with `release.json` beside the app's files in `app/`. */

export interface ReleaseManifest {
  readonly release: string; // rel_…
  readonly space: string;
  readonly commit: string;
  readonly build: string;
  readonly sdk: "node" | "static";
  readonly title: string;
  /** Command of the app, run in `app/`; null for static Spaces, whose files the shim serves from `app/<staticFolder>`. */
  readonly argv: readonly string[] | null;
  readonly staticFolder: string;
  readonly appPort: number;
  readonly builtAt: string;
  /** Milliseconds from a replica's start to listening; absent: the platform's own limit. */
  readonly startupTimeoutMs?: number;
}
