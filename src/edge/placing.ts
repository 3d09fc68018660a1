/** Finds a replica for one request, and tells what of that is to be kept: the evidence's facts, the visitor's cookie. */
import type { IncomingMessage } from "node:http";

import type { Facts } from "../evidence/entry.ts";
import type { EdgeContext } from "./context.ts";
import type { CookieJar } from "./jar.ts";
import { EarlyBody } from "./early-body.ts";
import { belongsIn, belongsTo } from "./gradio/belongs.ts";
import type { Belongs } from "./gradio/belongs.ts";
import { functionIn, numbersFunction } from "./gradio/function.ts";
import { earlyBodiesMax, earlyBodyMaxBytes, movesMax } from "./limits.ts";
import type { Replica } from "./ports.ts";
import { isShared, replicaCookieFor, replicaCookieIn } from "./replica-cookie.ts";
import type { ReplicaCookie } from "./replica-cookie.ts";
import type { Framing, Screened } from "./screen.ts";
import type { Choice } from "./sticky.ts";

export interface Placed {
  readonly space: string;
  readonly method: string;
  readonly screened: Screened;
  readonly address: string;
  /** The visitor's connection is encrypted. */
  readonly secure: boolean;
  /** It comes from an app, which keeps no cookies. */
  readonly inside: boolean;
  /** Where it came to a Space's own port: our cookie is marked as the Space's own are. */
  readonly jar: CookieJar | undefined;
}

export class Placing {
  readonly #context: EdgeContext;
  readonly #of: Placed;
  #belongs: Belongs | undefined;
  #had: ReplicaCookie | undefined;
  #isRead = false;
  #choice: Choice | undefined;
  #several = false;
  #early: EarlyBody | undefined;
  /** Replicas that had nothing of it and could not take it. */
  readonly #passedOver: string[] = [];

  constructor(context: EdgeContext, of: Placed) {
    this.#context = context;
    this.#of = of;
  }

  /** Its session, or the function that it asks for, stands in its body, which is short enough to be read first. */
  wantsBody(replicas: readonly Replica[]): boolean {
    const { method, screened } = this.#of;
    if (this.#early !== undefined || !this.#namesInBody(method, screened.target, replicas.length > 1)) return false;
    return fits(screened.framing) && this.#context.bodiesHeld < earlyBodiesMax;
  }

  #namesInBody(method: string, target: string, several: boolean): boolean {
    if (!several) return numbersFunction(method, target);
    this.#read();
    return this.#belongs?.kind === "body";
  }

  readFirst(request: IncomingMessage, onReady: () => void): EarlyBody {
    this.#context.bodiesHeld += 1;
    this.#early = new EarlyBody(request, { maxBytes: earlyBodyMaxBytes, onReady });
    return this.#early;
  }

  /** One of `replicas`, of which there is one at least. */
  place(replicas: readonly Replica[], isStream: boolean): Replica {
    this.#leaveSession();
    this.#several ||= replicas.length > 1;
    // A Space with one replica has nothing to choose; where its sessions are is kept for when it has more.
    const namesSession = isStream || this.#of.screened.target.includes("session_hash=");
    if (!this.#several && !namesSession) return replicas[0] as Replica;
    this.#read();
    const text = this.#belongs?.kind === "body" ? this.#early?.text : undefined;
    const named = text === undefined ? {} : belongsIn(text);
    const event = this.#belongs?.kind === "event" ? this.#belongs.event : named.event;
    this.#choice = this.#context.sticky.choose(this.#of.space, replicas, {
      session: this.#belongs?.kind === "session" ? this.#belongs.session : named.session,
      eventAt: event === undefined ? undefined : this.#context.gradio.replicaOf(event, replicas),
      cookie: this.#had?.replica,
      address: this.#of.address,
      // A join that is too long to be read first belongs where its client's other requests went.
      isFile: this.#belongs?.kind === "file" || (this.#belongs?.kind === "body" && text === undefined),
    });
    return this.#choice.replica;
  }

  /** Whether what is known to have reached no app may go to another replica: its body is none, or still here. */
  mayMove(): boolean {
    const isHere = this.#of.screened.framing.kind === "none" || this.#early?.isWhole === true;
    return isHere && this.#several && this.#passedOver.length < movesMax;
  }

  /** Its session's replica lives, and only the line to it is lost: what the session has is there and nowhere else. */
  get isBound(): boolean {
    return this.#choice?.by === "session" || this.#choice?.by === "event";
  }

  passOver(replica: string): void {
    this.#passedOver.push(replica);
  }

  isPassedOver(replica: string): boolean {
    return this.#passedOver.includes(replica);
  }

  /** The function of a Gradio app that it asks for, as `functionIn` has it. */
  get asksFor(): string | undefined {
    const { method, screened } = this.#of;
    return functionIn(method, screened.target, this.#early?.text);
  }

  get early(): EarlyBody | undefined {
    return this.#early;
  }

  get facts(): Facts | undefined {
    const { by, movedFrom } = this.#choice ?? {};
    if (movedFrom === undefined && !this.#several) return undefined;
    return {
      ...(by !== undefined && { placedBy: by }),
      ...(movedFrom !== undefined && { movedFrom }),
      ...(this.#passedOver.length > 0 && { passedOver: [...this.#passedOver] }),
    };
  }

  /** The `Set-Cookie` that goes with the app's answer. */
  cookie(rawHeaders: readonly string[]): string | undefined {
    if (!this.#several || this.#choice === undefined || this.#of.inside || isShared(rawHeaders)) return undefined;
    const { secure } = this.#of;
    const wallMs = this.#context.clock.wall();
    return replicaCookieFor(this.#choice.replica.id, { had: this.#had, secure, wallMs });
  }

  /** The request is over. */
  release(): void {
    this.#leaveSession();
    if (this.#early === undefined) return;
    this.#early = undefined;
    this.#context.bodiesHeld -= 1;
  }

  #leaveSession(): void {
    if (this.#choice?.session !== undefined) this.#context.sticky.release(this.#choice.session);
    this.#choice = undefined;
  }

  #read(): void {
    if (this.#isRead) return;
    this.#isRead = true;
    const { method, screened, secure, jar } = this.#of;
    const { cookie, target } = screened;
    this.#belongs = belongsTo(method, target);
    this.#had = replicaCookieIn(cookie === undefined ? undefined : (jar?.toApp(cookie) ?? cookie), secure);
  }
}

function fits(framing: Framing): boolean {
  return framing.kind === "chunked" || (framing.kind === "length" && framing.bytes <= earlyBodyMaxBytes);
}
