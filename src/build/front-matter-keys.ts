/**
 * Every key that a Space's front matter may have, as Spaces' configuration reference and Hub's metadata know them, and what becomes
 * of it here. docs/front-matter.md is made from it.
 */

/**
 * `used`: a build, a replica or the edge goes by it. `accepted`: for people and indexes, nothing here goes by it. `said`: not done
 * here, and the build's log says so by its name.
 */
export type KeyUse = "used" | "accepted" | "said";

export interface KeyRow {
  readonly use: KeyUse;
  readonly values: string;
  /** What it does here; of one that is `said`, the words of the log behind its name. */
  readonly does: string;
}

const text = "a text";
const list = "a list of texts";

export const frontMatterKeys = {
  sdk: { use: "used", values: "`gradio`, `streamlit`, `docker`, `node`, `static`", does: "which builder takes it" },
  sdk_version: {
    use: "used",
    values: "a version: `6.31.0`",
    does: "the version of gradio or streamlit; without it the newest that the requirements allow",
  },
  python_version: {
    use: "used",
    values: "`3.10` or `3.10.13`",
    does: "which of the node's Pythons; one that it does not have is refused with those that it has. Without it: 3.10, or the nearest newer one",
  },
  app_file: {
    use: "used",
    values: "a path inside the repository",
    does: "the program (`app.py`; for streamlit `app.py`, `streamlit_app.py` or `src/streamlit_app.py`, whichever is there), or of a static Space the page at `/` (`index.html`), whose folder is served",
  },
  app_port: {
    use: "used",
    values: "1 to 65535",
    does: "the port that the app listens on; 7860 without it. `PORT` has it too",
  },
  app_build_command: {
    use: "used",
    values: "a command of the shell",
    does: "of static and node Spaces: run in place of the `build` script, after the packages are installed",
  },
  static_folder: {
    use: "used",
    values: "a path inside the repository",
    does: "of static Spaces: the folder that is served; a key of this platform alone",
  },
  startup_duration_timeout: {
    use: "used",
    values: "`90s`, `30m`, `1h`, at most `24h`",
    does: "how long the app may take from its start to listening; 30 minutes without it",
  },
  preload_from_hub: {
    use: "said",
    values: "a list of `NAME`, `NAME FILE,FILE` or `NAME FILE,FILE COMMIT`",
    does: 'nothing is fetched before the app asks for it. Let the app begin with `huggingface_hub.snapshot_download("OWNER/NAME")`: what it fetches stays in /data/.cache/huggingface for its next start, in an image\'s app with the variable HF_HOME=/data/huggingface',
  },
  custom_headers: {
    use: "used",
    values:
      "`cross-origin-embedder-policy`, `cross-origin-opener-policy`, `cross-origin-resource-policy`, each with one of its values",
    does: "put on every answer of the app, in place of the app's own; another name or value is refused",
  },
  disable_embedding: {
    use: "used",
    values: "`true`, `false`",
    does: "`true`: browsers show no page of it inside a page of another site (`frame-ancestors 'self'`)",
  },
  title: { use: "used", values: text, does: "its name for people, and `SPACE_TITLE`" },
  emoji: { use: "accepted", values: text, does: "for indexes" },
  colorFrom: { use: "accepted", values: text, does: "for indexes" },
  colorTo: { use: "accepted", values: text, does: "for indexes" },
  short_description: { use: "accepted", values: text, does: "for indexes" },
  license: { use: "accepted", values: "a text or a list", does: "for indexes" },
  pinned: { use: "accepted", values: "`true`, `false`", does: "for indexes" },
  suggested_hardware: {
    use: "said",
    values: text,
    does: "what a Space runs on is its owner's setting, and a build does not change it: `waybill space set OWNER/NAME hardware=…`",
  },
  suggested_storage: {
    use: "said",
    values: "`small`, `medium`, `large`",
    does: "every Space has /data, and no size is set for it",
  },
  base_path: {
    use: "said",
    values: "a path that begins with `/`",
    does: "an app's address opens at /; give people the longer one",
  },
  hf_oauth: {
    use: "used",
    values: "`true`, `false`",
    does: "`true`: people sign in to the app with their account of this platform, by `gr.LoginButton` or any OpenID client. It gets `OAUTH_CLIENT_ID`, `OAUTH_CLIENT_SECRET`, `OAUTH_SCOPES`, `OPENID_PROVIDER_URL` and, unless its author sets it, `HF_ENDPOINT` (docs/sign-in-to-apps.md)",
  },
  hf_oauth_scopes: {
    use: "used",
    values: list,
    does: "what the app may do for those who sign in, beside `openid` and `profile`: `email`, `read-repos`, `gated-repos`, `contribute-repos`, `write-repos`, `manage-repos`, `inference-api`; others of the Hub's are said in the build's log and not asked for",
  },
  hf_oauth_expiration_minutes: {
    use: "used",
    values: "1 to 43200",
    does: "how long the app's token of a person holds; 480 without it",
  },
  hf_oauth_authorized_org: {
    use: "used",
    values: "a text or a list",
    does: "only members of one of these organisations may sign in",
  },
  hf_oauth_redirect_path: {
    use: "used",
    values: "a path that begins with `/`",
    does: "where browsers come back to after signing in; `/login/callback`, which always may, is gr.LoginButton's",
  },
  fullWidth: {
    use: "accepted",
    values: "`true`, `false`",
    does: "an app has its address to itself: it is as wide as the window",
  },
  header: {
    use: "accepted",
    values: "`mini`, `default`",
    does: "an app has its address to itself: nothing stands above it",
  },
  thumbnail: { use: "accepted", values: text, does: "for indexes" },
  models: { use: "accepted", values: list, does: "for indexes" },
  datasets: { use: "accepted", values: list, does: "for indexes" },
  tags: { use: "accepted", values: list, does: "for indexes" },
  language: { use: "accepted", values: "a text or a list", does: "for indexes" },
  languages: { use: "accepted", values: "a text or a list", does: "for indexes" },
  library_name: { use: "accepted", values: text, does: "for indexes" },
  pipeline_tag: { use: "accepted", values: text, does: "for indexes" },
  base_model: { use: "accepted", values: "a text or a list", does: "for indexes" },
  metrics: { use: "accepted", values: list, does: "for indexes" },
  widget: { use: "accepted", values: "anything", does: "for indexes" },
  arxiv: { use: "accepted", values: "a text or a list", does: "for indexes" },
  license_name: { use: "accepted", values: text, does: "for people" },
  license_link: { use: "accepted", values: text, does: "for people" },
  duplicated_from: { use: "accepted", values: text, does: "for people" },
  failure_strategy: {
    use: "accepted",
    values: text,
    does: "a release that does not start never replaces one that runs",
  },
  hardware: {
    use: "said",
    values: text,
    does: "what a Space runs on is its owner's setting, and a build does not change it: `waybill space set OWNER/NAME hardware=…`",
  },
} as const satisfies Readonly<Record<string, KeyRow>>;

export type FrontMatterKey = keyof typeof frontMatterKeys;

/** The table of docs/front-matter.md. */
export function frontMatterTable(): string {
  const rows = Object.entries<KeyRow>(frontMatterKeys).map(
    ([key, { use, values, does }]) => `| \`${key}\` | ${use} | ${values} | ${does} |`,
  );
  return ["| Key | | Values | Here |", "|---|---|---|---|", ...rows].join("\n");
}
