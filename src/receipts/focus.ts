/**
 * Receipts as rows of FOCUS, the FinOps Open Cost and Usage Specification, version 1.2: what a GPU call cost, in the columns that tools
 * for bills read. The ledger knows GPU time and no money: a price for a second is whoever exports'. All sums are exact.
 *
 *   L38. Exported totals equal the ledger's.
 */
import type { Receipt } from "../evidence/receipt.ts";
import { assert } from "../stdx/assert.ts";

export interface FocusOptions {
  /** Who provides the GPUs and sends the bill, as its columns name it. */
  readonly provider: string;
  /** Of a GPU second; decimal, as `0.0005`. */
  readonly price: string;
  /** ISO 4217; `XXX` says that there is none. */
  readonly currency: string;
  /** The billing period, `[from, until)`. */
  readonly from: string;
  readonly until: string;
}

export type FocusRow = Readonly<Record<(typeof focusColumns)[number], string>>;

/** The mandatory ones of 1.2, those conditional ones that say something here, and ours with `x_`. */
export const focusColumns = [
  "BilledCost",
  "BillingAccountId",
  "BillingAccountName",
  "BillingCurrency",
  "BillingPeriodEnd",
  "BillingPeriodStart",
  "ChargeCategory",
  "ChargeClass",
  "ChargeDescription",
  "ChargeFrequency",
  "ChargePeriodEnd",
  "ChargePeriodStart",
  "ConsumedQuantity",
  "ConsumedUnit",
  "ContractedCost",
  "ContractedUnitPrice",
  "EffectiveCost",
  "InvoiceIssuerName",
  "ListCost",
  "ListUnitPrice",
  "PricingCategory",
  "PricingQuantity",
  "PricingUnit",
  "ProviderName",
  "PublisherName",
  "ResourceId",
  "ResourceName",
  "ResourceType",
  "ServiceCategory",
  "ServiceName",
  "SkuId",
  "SkuPriceId",
  "SubAccountId",
  "SubAccountName",
  "x_Receipt",
  "x_Rule",
  "x_ChargedMs",
  "x_CreditsMs",
] as const;

/** Digits of a price after its point, and of a cost: a thousandth of that, as milliseconds are charged. */
const priceDigits = 12;
const costDigits = priceDigits + 3;
const unit = "GPU-Seconds";

/** Whether a text is a price: so many digits that no cost of a call is rounded. */
export function isPrice(text: string): boolean {
  return /^\d{1,9}(\.\d{1,12})?$/.test(text);
}

/** Exact: GPU milliseconds at so much a second. */
export function costOf(ms: number, price: string): string {
  assert(isPrice(price), "a price is a decimal number", price);
  const [whole = "", part = ""] = price.split(".");
  const scaled = BigInt(whole + part.padEnd(priceDigits, "0")) * BigInt(ms);
  return decimal(scaled, costDigits);
}

/** One row for what was charged, and one that takes from it what credits paid; none of a call that cost nothing. */
export function focusRows(receipt: Receipt, options: FocusOptions): readonly FocusRow[] {
  const { chargedMs, creditsMs = 0 } = receipt;
  if (chargedMs === 0) return [];
  const cost = costOf(chargedMs, options.price);
  const usage: FocusRow = {
    ...common(receipt, options),
    ...costs(cost),
    ChargeCategory: "Usage",
    ChargeDescription: `GPU time of ${receipt.space} on pool ${receipt.pool}, size ${receipt.size}`,
    ConsumedQuantity: seconds(chargedMs),
    ConsumedUnit: unit,
    ContractedUnitPrice: options.price,
    ListUnitPrice: options.price,
    PricingCategory: "Standard",
    PricingQuantity: seconds(chargedMs),
    PricingUnit: unit,
    x_ChargedMs: String(chargedMs),
    x_CreditsMs: "0",
  };
  if (creditsMs === 0) return [usage];
  const credit: FocusRow = {
    ...common(receipt, options),
    ...costs(negative(costOf(creditsMs, options.price))),
    ChargeCategory: "Credit",
    ChargeDescription: `Paid by credits: ${seconds(creditsMs)} GPU seconds`,
    x_ChargedMs: "0",
    x_CreditsMs: String(creditsMs),
  };
  return [usage, credit];
}

/** RFC 4180, with its line end. */
export function csvLine(values: readonly string[]): string {
  return `${values.map((value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)).join(",")}\r\n`;
}

export function focusLine(row: FocusRow): string {
  return csvLine(focusColumns.map((column) => row[column]));
}

function common(receipt: Receipt, options: FocusOptions): FocusRow {
  const payer = receipt.paidBy ?? receipt.account;
  const none = Object.fromEntries(focusColumns.map((column) => [column, ""])) as FocusRow;
  return {
    ...none,
    BillingAccountId: payer,
    BillingAccountName: payer,
    BillingCurrency: options.currency,
    BillingPeriodEnd: options.until,
    BillingPeriodStart: options.from,
    ChargeFrequency: "Usage-Based",
    ChargePeriodEnd: toSecond(receipt.endedAt, 1_000),
    ChargePeriodStart: toSecond(receipt.grantedAt ?? receipt.scheduledAt, 0),
    InvoiceIssuerName: options.provider,
    ProviderName: options.provider,
    PublisherName: options.provider,
    ResourceId: receipt.space,
    ResourceName: receipt.space,
    ResourceType: "Space",
    ServiceCategory: "AI and Machine Learning",
    ServiceName: "GPU time",
    SkuId: `${receipt.pool}/${receipt.size}`,
    SkuPriceId: `${receipt.pool}/${receipt.size}`,
    SubAccountId: receipt.account,
    SubAccountName: receipt.account,
    x_Receipt: receipt.id,
    x_Rule: receipt.rule,
  };
}

function costs(cost: string): Pick<FocusRow, "BilledCost" | "ContractedCost" | "EffectiveCost" | "ListCost"> {
  return { BilledCost: cost, ContractedCost: cost, EffectiveCost: cost, ListCost: cost };
}

function negative(cost: string): string {
  return cost === "0" ? cost : `-${cost}`;
}

function seconds(ms: number): string {
  return decimal(BigInt(ms), 3);
}

function decimal(scaled: bigint, digits: number): string {
  const text = String(scaled).padStart(digits + 1, "0");
  const part = text.slice(-digits).replace(/0+$/, "");
  return text.slice(0, -digits) + (part === "" ? "" : `.${part}`);
}

/** Instants in whole seconds, as most tools expect them: the one of a start, and for an end, which is not in its period, the next one. */
function toSecond(at: string, up: number): string {
  const ms = new Date(at).getTime() + up;
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
