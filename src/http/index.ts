/** A small server kit: problem replies, Proxy-Status, hosts, bodies and limits. */
export { prefersHtml } from "./accept.ts";
export { readBody } from "./body.ts";
export type { Body } from "./body.ts";
export { parseHost } from "./host.ts";
export type { Host } from "./host.ts";
export * from "./limits.ts";
export { escapeHtml, pagePolicy, problemPage, proseHtml, wholeHtml } from "./page.ts";
export type { Break, PageFacts } from "./page.ts";
export { problemOf, proxyErrorOf } from "./problem.ts";
export type { ProblemExtra } from "./problem.ts";
export { defaultDeploymentName, parseProxyStatus, receivedStatusValues, serializeProxyStatus } from "./proxy-status.ts";
export { serializeRateLimit, serializeRateLimitPolicy } from "./rate-limit.ts";
export type { RateLimit } from "./rate-limit.ts";
export { rawProblem, retryAfterDefaultSeconds, writeProblem } from "./reply.ts";
export type { ProblemReply } from "./reply.ts";
