/**
 * The client that each Space is to the OpenID provider, made with its first release that wants people to sign in. Its secret is sealed as
 * owners' secrets are, and reaches the app as they do.
 */
import type { AppClientRow } from "../../catalog/apps.ts";
import type { ToAgent } from "../../contract/agent.ts";
import { scopesOf } from "../../contract/oauth.ts";
import type { AppSignIn } from "../../contract/oauth.ts";
import type { SecretBox } from "../../identity/secret-box.ts";
import { base32, newId } from "../../stdx/ids.ts";
import type { RandomBytes } from "../../stdx/ids.ts";
import type { Clock } from "../../stdx/time.ts";

export interface ClientRows {
  clients(): Promise<readonly AppClientRow[]>;
  clientOnce(row: AppClientRow): Promise<AppClientRow>;
  reseal(row: AppClientRow): Promise<void>;
}

export interface AppClientsPorts {
  readonly rows: ClientRows;
  readonly box: SecretBox;
  readonly clock: Pick<Clock, "wall">;
  readonly random: RandomBytes;
  /** Where the app finds the provider. */
  providerUrl(): string;
}

/** Where huggingface_hub, and what is built on it, takes models from and shows tokens to. */
const hubVariable = "HF_ENDPOINT";
const hubSays = `since people sign in to this app, huggingface_hub asks this platform (${hubVariable}); one that takes models from elsewhere sets that variable (docs/sign-in-to-apps.md)`;

/** 256 random bits: RFC 6749 §10.10 asks that nobody guesses it, and nobody has to remember it. */
const secretBytes = 32;

export class AppClients {
  readonly #ports: AppClientsPorts;
  readonly #bySpace = new Map<string, AppClientRow>();
  readonly #byClient = new Map<string, AppClientRow>();

  private constructor(ports: AppClientsPorts) {
    this.#ports = ports;
  }

  /** Reads all of them; what an older key sealed is sealed again with the current one. */
  static async open(ports: AppClientsPorts): Promise<AppClients> {
    const { rows, box } = ports;
    const clients = new AppClients(ports);
    for (const row of await rows.clients()) {
      const place = placeOf(row.space);
      const current = row.key === box.current ? row : { ...row, ...box.seal(box.open(row, place), place) };
      if (current !== row) await rows.reseal(current);
      clients.#keep(current);
    }
    return clients;
  }

  /** Makes the Space's client where it has none. */
  async make(space: string): Promise<void> {
    if (this.#bySpace.has(space)) return;
    const { rows, box, clock, random } = this.#ports;
    const sealed = box.seal(base32(random(secretBytes)), placeOf(space));
    this.#keep(await rows.clientOnce({ space, client: newId("app", random), ...sealed, createdAt: clock.wall() }));
  }

  spaceOf(client: string): string | undefined {
    return this.#byClient.get(client)?.space;
  }

  /** With its secret, unsealed. */
  find(client: string): { readonly space: string; readonly secret: string } | undefined {
    const row = this.#byClient.get(client);
    return row && { space: row.space, secret: this.#ports.box.open(row, placeOf(row.space)) };
  }

  /**
   * What an app with `signIn` is started with beside its secret. What it learns of people is shown to whom huggingface_hub asks, which is
   * this platform where the app's author has not `named` another (docs/decisions/0070-whom-apps-show-a-persons-token.md).
   */
  environment(
    space: string,
    signIn: AppSignIn | undefined,
    named: (variable: string) => boolean,
  ): Readonly<Record<string, string>> {
    const row = signIn && this.#bySpace.get(space);
    if (row === undefined) return {};
    const url = this.#ports.providerUrl();
    return {
      OAUTH_CLIENT_ID: row.client,
      OAUTH_SCOPES: scopesOf(signIn as AppSignIn).join(" "),
      OPENID_PROVIDER_URL: url,
      ...(named(hubVariable) ? {} : { [hubVariable]: url }),
    };
  }

  /** The order to start such an app, with the secret where the owner's are: its logs mask it. */
  equip(message: ToAgent): ToAgent {
    if (message.type !== "start-replica") return message;
    const { spec } = message;
    const row = this.#bySpace.get(spec.space);
    if (row === undefined || spec.env?.["OAUTH_CLIENT_ID"] !== row.client) return message;
    const secret = this.#ports.box.open(row, placeOf(row.space));
    const secrets = { ...spec.secrets, OAUTH_CLIENT_SECRET: secret };
    const isOurs = spec.env?.[hubVariable] === this.#ports.providerUrl();
    const says = [spec.says, isOurs ? hubSays : undefined].filter((text) => text !== undefined).join("; ");
    return { ...message, spec: { ...spec, secrets, ...(says === "" ? {} : { says }) } };
  }

  #keep(row: AppClientRow): void {
    this.#bySpace.set(row.space, row);
    this.#byClient.set(row.client, row);
  }
}

function placeOf(space: string): string {
  return `app-client ${space}`;
}
