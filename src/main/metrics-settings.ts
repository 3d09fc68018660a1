/** The settings of what tells others how the platform does: `/metrics` on an address of its own, and a collector of traces. */
import { isIP } from "node:net";

export interface MetricsAddress {
  readonly address: string;
  readonly port: number;
}

/** `127.0.0.1:9464`, `[::1]:9464`; null where nothing is set. What is wrong with it is added to `problems`. */
export function metricsAddress(text: string | undefined, problems: string[]): MetricsAddress | null {
  if (text === undefined || text === "") return null;
  const [, v6, v4, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4 ?? "";
  if (isIP(address) !== 0 && Number(port) >= 1 && Number(port) <= 65_535) return { address, port: Number(port) };
  problems.push(`WAYBILL_METRICS is "${text}"; write a numeric address and a port, such as 127.0.0.1:9464`);
  return null;
}

/** A collector's address by http or https; null where nothing is set. */
export function collectorUrl(text: string | undefined, problems: string[]): string | null {
  if (text === undefined || text === "") return null;
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
  problems.push(`--otlp is "${text}"; write the collector's address, such as http://localhost:4318`);
  return null;
}
