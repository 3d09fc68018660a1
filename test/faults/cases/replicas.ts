/** Apps that the platform ends: they run, and are not well. */
import { until, visit } from "../../support/platform.ts";
import { proved, type FaultCase } from "../case.ts";

export const replicaCases: readonly FaultCase[] = [
  {
    code: "app/health-failing",
    how: "its server ends and its process does not",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice, up }) {
      const app = await fresh({
        "server.js": `import { createServer } from "node:http";
          const server = createServer((request, to) => {
            to.setHeader("connection", "close").end("hi");
            if (request.url === "/close") server.close();
          });
          server.listen(process.env.PORT);
          setInterval(() => {}, 1000);`,
      });
      const { id } = await up.replica(app.space);
      await visit(`${app.url}/close`, alice);
      await until("the replica has ended", async () =>
        (await up.admin.space(app.space)).replicas.find((one) => one.id === id && one.phase === "exited"),
      );
      return { id };
    },
  },
];
