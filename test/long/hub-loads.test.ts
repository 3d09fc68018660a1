/** `transformers` and `datasets`, unmodified: a tiny model and a tiny dataset are sent, and loaded by their names. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HubClient } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, type Account } from "../support/platform.ts";

const { skip } = await needs("gradio");
/** Of a model its settings and its words: what its weights are read by is large, and asks the Hub for nothing else. */
const packages = ["transformers==5.*", "datasets==5.*", "jinja2"];
const env = { HF_HUB_DISABLE_PROGRESS_BARS: "1", TRANSFORMERS_VERBOSITY: "error" };

describe("what is loaded by its name", { skip }, () => {
  let up: Platform;
  let hub: HubClient;
  let alice: Account;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    hub = await HubClient.make("", packages);
  });
  after(async () => {
    hub?.[Symbol.dispose]();
    await up?.[Symbol.asyncDispose]();
  });
  const ask = (program: string, home: string): Promise<unknown> =>
    hub.ask({ url: up.url, token: alice.token, env, home }, program);

  test("a private model's settings and words come by from_pretrained, as push_to_hub sent them", async () => {
    await ask(
      `
from transformers import BertConfig, BertTokenizerFast
import os, tempfile
folder = tempfile.mkdtemp()
words = os.path.join(folder, "vocab.txt")
with open(words, "w") as f: f.write("\\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "way", "##bill"]))
BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=7).push_to_hub("alice/tiny", private=True)
BertTokenizerFast(words).push_to_hub("alice/tiny")
print("null")`,
      "sender",
    );
    const loaded = await ask(
      `
from transformers import AutoConfig, AutoTokenizer
print(json.dumps([AutoConfig.from_pretrained("alice/tiny").hidden_size, AutoTokenizer.from_pretrained("alice/tiny")("waybill")["input_ids"]]))`,
      "reader",
    );
    assert.deepEqual(loaded, [32, [2, 5, 6, 3]]);
  });

  test("a dataset is loaded whole and as a stream, as push_to_hub sent it", async () => {
    await ask(
      `
from datasets import Dataset
Dataset.from_dict({"n": list(range(1000)), "text": [f"row {n}" for n in range(1000)]}).push_to_hub("alice/rows", private=True)
print("null")`,
      "sender",
    );
    const loaded = await ask(
      `
from datasets import load_dataset
whole = load_dataset("alice/rows", split="train")
streamed = next(iter(load_dataset("alice/rows", split="train", streaming=True)))
print(json.dumps([len(whole), whole[999], streamed]))`,
      "reader",
    );
    assert.deepEqual(loaded, [1_000, { n: 999, text: "row 999" }, { n: 0, text: "row 0" }]);
  });
});
