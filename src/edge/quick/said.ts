/** What the head of a plain request says beside its target. A client mostly says the same again on its connection: it is made out once. */
import { credentialsOf } from "../accepted.ts";
import { callersTrace, echoedRequestId, sharedLines } from "../headers.ts";
import type { CookieJar } from "../jar.ts";
import type { Origin } from "../origin.ts";
import { visitorKey } from "../pool.ts";
import type { Credentials, SpaceRoute, Visitor } from "../ports.ts";
import type { Screened } from "../screen.ts";
import type { QuickRequest } from "./ends.ts";

export interface Asker {
  /** Of the first request that says so, as `origin` is; the target in it is that one's own. */
  readonly screened: Screened;
  readonly origin: Origin;
  /** What the directory is asked by. */
  readonly asked: string;
  readonly jar: CookieJar | undefined;
  readonly request: { readonly method: "GET"; readonly rawHeaders: readonly string[] };
  /** The deployment's name for `Via`. */
  readonly via: string;
}

export class Said {
  readonly screened: Screened;
  readonly origin: Origin;
  readonly asked: string;
  readonly jar: CookieJar | undefined;
  readonly trace: string | undefined;
  /** Of the head for the app: from the target to the lines that name the request. */
  readonly lines: string;
  readonly #asker: Asker;
  readonly #echoed: string;
  #credentials: Credentials | undefined;
  #account: string | undefined;
  #visitor = "";

  constructor(asker: Asker) {
    const { screened, origin, asked, jar, via } = asker;
    this.#asker = asker;
    this.screened = screened;
    this.origin = origin;
    this.asked = asked;
    this.jar = jar;
    this.trace = callersTrace(screened.traceparent);
    this.#echoed = echoedRequestId(screened.requestId, "");
    this.lines = sharedLines("GET", screened, {
      ...{ address: origin.address, proto: origin.proto, version: "1.1", deployment: via, cdnLoop: screened.cdnLoop },
    });
  }

  requestId(work: string): string {
    return this.#echoed === "" ? work : this.#echoed;
  }

  credentialsTo(route: SpaceRoute): Credentials {
    const to = this.#credentials?.to;
    // A directory may make its answer anew each time.
    const isSame = to?.space === route.space && to.owner === route.owner && to.private === route.private;
    if (this.#credentials === undefined || !isSame)
      this.#credentials = credentialsOf({ ...this.#asker, inside: undefined }, route);
    return this.#credentials;
  }

  /** Whose connections to the app it may use. */
  visitor({ account }: Visitor): string {
    if (account !== this.#account) {
      this.#account = account;
      this.#visitor = visitorKey(account, this.origin.address);
    }
    return this.#visitor;
  }
}

/** Of one connection: what was said last. */
export class Sayings {
  #rawHeaders: readonly string[] | undefined;
  #said: Said | undefined;

  of(request: QuickRequest, read: (request: QuickRequest) => Said | undefined): Said | undefined {
    if (request.rawHeaders !== this.#rawHeaders) {
      this.#rawHeaders = request.rawHeaders;
      this.#said = read(request);
    }
    return this.#said;
  }
}
