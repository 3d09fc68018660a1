/** A release on a node's disk: a folder that never changes, with `release.json` beside the app's files in `app/`. */
import type { AppSignIn } from "./oauth.ts";

export type SpaceSdk = "gradio" | "streamlit" | "docker" | "node" | "static";

/** What a release's packages were made for: compared with a pool's cards before anything is charged. */
export interface RuntimeFacts {
  /** `3.10.13`; of an image `3.11`, of one with several Pythons `3.11, 3.12`, and empty where its folders do not tell. */
  readonly python: string;
  readonly gradio: string | null;
  readonly spaces: string | null;
  /** Null where the environment has no torch. */
  readonly torch: {
    readonly version: string;
    /** The CUDA version that it was compiled with; null for a build without. */
    readonly cuda: string | null;
    /** As torch names them: `sm_80`, `sm_90`, `compute_90`. */
    readonly archs: readonly string[];
  } | null;
  /** Other packages with code for cards, or that tell which CUDA there is; absent in releases of before this was looked at. */
  readonly packages?: readonly CudaPackage[];
  /** What may not run, and did not end the build: one sentence each. */
  readonly warnings?: readonly string[];
}

/** A package that was compiled for CUDA, as its files and its name tell. */
export interface CudaPackage {
  readonly name: string;
  readonly version: string;
  /** `12.8`, or `12` where no more is known; null: nothing is. */
  readonly cuda: string | null;
  /** `sm_90a`, `compute_90`; empty where it has no code of its own. */
  readonly archs: readonly string[];
}

/** An image, unpacked: the app runs with its files instead of the machine's. */
export interface ReleaseImage {
  /** SHA-256 of its configuration, in hexadecimal. */
  readonly id: string;
  /** The folder of this node that holds its files. It never changes: what an app writes goes to a layer of its replica's own. */
  readonly root: string;
  /** Where the command begins, inside. */
  readonly workdir: string;
}

export interface ReleaseManifest {
  readonly release: string; // rel_…
  readonly space: string;
  readonly commit: string;
  readonly build: string;
  readonly sdk: SpaceSdk;
  readonly title: string;
  /** Command of the app, run in `app/`; null for static Spaces, whose files the shim serves from `app/<staticFolder>`. */
  readonly argv: readonly string[] | null;
  readonly staticFolder: string;
  /** Static Spaces: what is served at `/`, a file of `staticFolder`; absent: `index.html`. */
  readonly startPage?: string;
  readonly appPort: number;
  /** `false`: the front matter names no port, so an app that listens on another may be followed. Absent: it is named. */
  readonly portGiven?: boolean;
  readonly builtAt: string;
  /** Folders of this node that the app needs beside its release, read-only at the same path: an environment, its interpreter. */
  readonly needs?: readonly string[];
  /** A folder of this node with the Debian packages of its `packages.txt`, unpacked: its `usr` lies over the machine's own. One of `needs`. */
  readonly packages?: string;
  /** Variables that the release itself sets; the Space's own win over them. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the edge puts on each of the app's answers, by names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** People sign in to the app with their account here. */
  readonly signIn?: AppSignIn;
  readonly runtime?: RuntimeFacts;
  readonly image?: ReleaseImage;
  /** Milliseconds from a replica's start to listening; absent: the platform's own limit. */
  readonly startupTimeoutMs?: number;
}
