/** The console for browsers. */
import "./base.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { isRefused } from "./api.ts";
import { looksEveryMs } from "./asked.tsx";
import { Shell } from "./shell.tsx";
import { SiteMap } from "./site-map.tsx";
import { Speaking } from "./words/words.tsx";

/** What could not be had is asked for again; what the platform refuses is not. After these tries it is asked for every so often, beside what a page asks for by itself. */
const triesMost = 3;
const retryAfterMs = 1_000;

const queries = new QueryClient({
  defaultOptions: {
    // A machine without a network may well reach a platform that runs on it: whether there is an answer is seen by asking.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      staleTime: 1_000,
      retryDelay: retryAfterMs,
      retry: (tries, error) => tries < triesMost && !isRefused(error),
      refetchInterval: ({ state: { error } }) => (error !== null && !isRefused(error) ? looksEveryMs : false),
    },
  },
});

const root = document.querySelector("#root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Speaking>
        <Shell>
          <SiteMap />
        </Shell>
      </Speaking>
    </QueryClientProvider>
  </StrictMode>,
);
