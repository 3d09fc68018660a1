import { catalogSuite } from "./catalog.suite.ts";
import { memorySql } from "./memory-sql.ts";

catalogSuite("a database in memory", async () => memorySql());
