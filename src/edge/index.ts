/** From a visitor's request to the app that answers it. */
export { drain } from "./answers.ts";
export { openEdge, responseOn } from "./edge.ts";
export type { AddressResult, Edge, EdgeOptions, TlsOptions } from "./edge.ts";
export { ListenError, listenError } from "./listening.ts";
export type { ListenAddress, SharedSockets } from "./listening.ts";
export type { TlsPairs } from "./secure.ts";
export { guardLimits } from "./guard.ts";
export type { GuardLimits } from "./guard.ts";
export { readInsideCaller } from "./inside.ts";
export type { UpgradeEnd } from "./accepted.ts";
export { defaultLimits } from "./limits.ts";
export type { EdgeLimits } from "./limits.ts";
export { consoleCookiePrefixes } from "./names.ts";
export type { ProxyHeaders, TrustedProxies } from "./origin.ts";
export type { Shared, SharedSession } from "./shared.ts";
export type {
  CallTold,
  Credentials,
  IdentityRefusal,
  Replica,
  SpaceLimits,
  SpaceDirectory,
  SpaceRoute,
  StrangerCounter,
  Visitor,
  VisitorIdentity,
} from "./ports.ts";
