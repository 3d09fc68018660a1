import assert from "node:assert/strict";
import { test } from "node:test";
import { functionIn, numbersFunction } from "./function.ts";

test("a function is named by its path, or numbered by its join's body", () => {
  const cases: readonly [string, string, string | undefined, string | undefined][] = [
    ["POST", "/gradio_api/call/render", "{}", "/render"],
    ["POST", "/app/gradio_api/call/v2/render/", undefined, "/render"],
    ["POST", "/run/predict?x=1", undefined, "/predict"],
    ["POST", "/gradio_api/queue/join?__theme=dark", `{"data":[],"fn_index":3,"session_hash":"s"}`, "3"],
    ["POST", "/queue/join", `{"fn_index":0}`, "0"],
    ["POST", "/queue/join", undefined, undefined],
    ["POST", "/queue/join", `{"fn_index":-1}`, undefined],
    ["POST", "/queue/join", `{"fn_index":"3"}`, undefined],
    ["POST", "/queue/join", `{"fn_index":1e300}`, undefined],
    ["POST", "/queue/join", `not JSON`, undefined],
    ["POST", "/call/%2e%2e%2f", undefined, undefined],
    ["POST", `/call/${"n".repeat(101)}`, undefined, undefined],
    ["GET", "/gradio_api/call/render/0123456789abcdef0123456789abcdef", undefined, undefined],
    ["GET", "/", undefined, undefined],
  ];
  for (const [method, target, body, named] of cases) assert.equal(functionIn(method, target, body), named, target);
  assert.equal(numbersFunction("POST", "/gradio_api/queue/join?x"), true);
  assert.equal(numbersFunction("GET", "/queue/join"), false);
  assert.equal(numbersFunction("POST", "/call/render"), false);
});
