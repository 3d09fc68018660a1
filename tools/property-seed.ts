/** Where properties begin: at one fixed start, so that a test run says the same of the same commit twice; elsewhere only where it is told (tools/properties.ts). */
import fc from "fast-check";

const always = 20_261_129;
fc.configureGlobal({ seed: Number(process.env["WAYBILL_PROPERTY_SEED"] ?? always) });
