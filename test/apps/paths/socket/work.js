import { gpu } from "waybill";

export const works = gpu(
  async function works(x) {
    return 2 * x;
  },
  { duration: 5 },
);
