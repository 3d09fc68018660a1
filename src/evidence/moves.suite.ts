/** Records of outbound connections and of transfers made by hand, and what is to be said of them. */
import type { Case } from "./builds.suite.ts";
import type { Facts, Hop, Mark } from "./entry.ts";
import * as a from "./waybill.suite.ts";

const gateway = (hop: Hop, mark: Mark, facts: Facts = {}): a.Draft =>
  a.by("gateway-n1", hop, mark, { space: "alice/demo", name: "api.example.com", port: 443, profile: "app", ...facts });
const server = (hop: Hop, mark: Mark, facts: Facts): a.Draft =>
  a.by("control", hop, mark, { direction: "download", via: "git-lfs", ofBytes: 2_000_000, bytes: 1_980_000, ...facts });
const opened = gateway("egress.open", "took");
const resolved = gateway("egress.resolve", "done", { addresses: ["203.0.113.80"] });
const allowed = gateway("egress.policy", "done", { rule: "allow * on port 443" });

export const connections: readonly Case[] = [
  {
    code: "egress/name-denied",
    record: a.record("connection", [opened, gateway("egress.policy", "refused", { code: "egress/name-denied" })]),
    sentence: /decided so by the policy/,
  },
  {
    code: "egress/dns-failed",
    record: a.record("connection", [opened, gateway("egress.resolve", "failed", { code: "egress/dns-failed" })]),
    sentence: /Nothing was dialled/,
  },
  {
    code: "egress/dial-refused",
    record: a.record("connection", [
      opened,
      resolved,
      allowed,
      gateway("egress.dial", "failed", { code: "egress/dial-refused", errno: "ECONNREFUSED" }),
    ]),
    sentence: /The policy lets it through: allow \* on port 443/,
  },
  {
    code: "egress/remote-refused",
    record: a.record("connection", [
      opened,
      resolved,
      allowed,
      gateway("egress.dial", "done", { dialled: "203.0.113.80" }),
      gateway("egress.stream", "failed", { code: "egress/remote-refused", errno: "ECONNRESET" }),
    ]),
    sentence: /The policy lets it through/,
  },
];

export const transfers: readonly Case[] = [
  {
    code: "transfer/auth-failed",
    record: a.record("transfer", [server("transfer.auth", "refused", { code: "transfer/auth-failed" })]),
    sentence: /./,
  },
  {
    code: "transfer/stalled",
    record: a.record("transfer", [
      server("transfer.move", "failed", { code: "transfer/stalled", waitingFor: "client", quietMs: 30_000 }),
    ]),
    sentence: /The platform waited for the client for 30 s/,
  },
  {
    code: "transfer/digest-mismatch",
    record: a.record("transfer", [server("transfer.verify", "failed", { code: "transfer/digest-mismatch" })]),
    sentence: /./,
  },
];
