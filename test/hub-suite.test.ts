/** What is read out of the report of the Hub's client's own tests, and what the page says of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pageOf } from "./hub-suite/page.ts";
import { reasonOf } from "./hub-suite/reasons.ts";
import { resultsIn } from "./hub-suite/results.ts";

const report = `<testsuites><testsuite><testcase classname="tests.test_hf_api.TestCollectionAPI" name="test_delete_collection" time="0.1"><failure message="assert 1 &lt; 0&#10;more">E  text</failure></testcase>
<testcase classname="tests.test_lfs" name="test_one[a-b]" time="0.1" /><testcase classname="tests.test_lfs" name="test_two"><skipped type="pytest.skip" message="no moon">there</skipped></testcase>
<testcase classname="tests.test_kernels" name="test_kernel_info"><error message="away">E</error></testcase></testsuite></testsuites>`;

test("each test has its outcome, without its parameters and with its error's first line", () => {
  assert.deepEqual(resultsIn(report), [
    { test: "test_hf_api.TestCollectionAPI::test_delete_collection", outcome: "failed", says: "assert 1 < 0" },
    { test: "test_lfs::test_one", outcome: "passed", says: "" },
    { test: "test_lfs::test_two", outcome: "skipped", says: "no moon" },
    { test: "test_kernels::test_kernel_info", outcome: "failed", says: "away" },
  ]);
});

test("a failure without a reason has none, and what cannot be asked of a platform is not counted", () => {
  assert.equal(reasonOf("test_lfs::test_one"), undefined);
  assert.match(pageOf(resultsIn(report), "1.0"), /\*\*1 of 2 pass, 50\.0 %\.\*\* 1 more cannot be asked/);
});
