/** Who is signed in here; null: nobody. */
import { useQuery } from "@tanstack/react-query";
import type { UseQueryResult } from "@tanstack/react-query";
import type { WhoAmI } from "../contract/api.ts";
import { ApiRefusal, ask } from "./api.ts";

const whoPath = "/api/whoami-v2";

export function useMe(): UseQueryResult<WhoAmI | null> {
  return useQuery<WhoAmI | null>({
    queryKey: [whoPath],
    queryFn: async ({ signal }) => {
      try {
        return await ask<WhoAmI>(whoPath, signal);
      } catch (error) {
        if (error instanceof ApiRefusal && error.status === 401) return null;
        throw error;
      }
    },
  });
}
