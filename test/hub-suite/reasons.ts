/** Why tests of huggingface_hub's own fail here: each that fails has its reason, or the run fails. */

export interface Reason {
  /** Why, in a sentence that the compatibility page has. */
  readonly says: string;
  /** Whether it asks for something outside of what a platform could answer: it does not count. */
  readonly isOutside?: true;
  /** `file.Class::test`, as pytest names them without parameters, or the beginning of one. */
  readonly tests: readonly string[];
}

export const reasons: readonly Reason[] = [
  {
    says: "It asks the public Hub or one of its services by a name of its own, also where the suite does not mark it so.",
    isOutside: true,
    tests: [
      "test_hf_api.TestHfApiInferenceCatalog",
      "test_kernels::",
      "test_oauth::test_oauth_workflow",
      "test_repocard.TestMetadataUpdateOnMissingCard::test_metadata_update_missing_readme_on_model",
      "test_repocard.TestMetadataUpdateOnMissingCard::test_metadata_update_missing_readme_on_dataset",
      "test_repocard.TestRepoCard::",
      "test_repocard.TestRepocardMetadataUpdate",
      "test_utils_http::test_async_client_get_request",
      "test_utils_http::test_client_get_request",
    ],
  },
  {
    says: "It is about the suite's own test Hub: its address, or an organisation that is there.",
    isOutside: true,
    tests: [
      "test_hf_api.TestCommitApi::test_create_repo_private_by_default",
      "test_hf_api.TestHfApiEndpoints::test_whoami_with_passing_token",
      "test_utils_http::test_fix_hf_endpoint_in_url",
    ],
  },
  {
    says: "Buckets are not kept here.",
    tests: ["test_copy_files::test_cp_", "test_xet_upload.TestBucketXetUploadSkipSha256"],
  },
  {
    says: "Webhooks have an API of Waybill's own, docs/webhooks.md, in the Standard Webhooks' form.",
    tests: ["test_hf_api.TestWebhookApi"],
  },
  { says: "There are no collections.", tests: ["test_hf_api.TestCollectionAPI"] },
  { says: "There are no likes.", tests: ["test_hf_api.TestActivityApi::test_list_likes"] },
  {
    says: "Large files are not listed and deleted one by one, and not copied from repository to repository by their hashes.",
    tests: ["test_copy_files::test_copy_files_repo_to_repo", "test_hf_api.TestListAndPermanentlyDeleteLFSFiles"],
  },
  {
    says: "A name of a file with a backslash is refused: on Windows it would leave the folder that it is put into.",
    tests: ["test_file_download.TestHfHubDownloadRelativePaths"],
  },
  {
    says: "The same, and it is refused with 400, where the Hub says 422.",
    tests: ["test_hf_api.TestCommitApi::test_create_file_with_relative_path"],
  },
  {
    says: "It compares a sentence word by word: Waybill's says which repository is missing, or at which commit the branch is.",
    tests: [
      "test_hf_api.TestCommitApi::test_create_commit_conflict",
      "test_hf_api.TestCommitApi::test_create_commit_repo_does_not_exist",
    ],
  },
  {
    says: "A pull request is for main, and its branch is not squashed before it is merged.",
    tests: [
      "test_hf_api.TestCommitApi::test_create_commit_create_pr_against_branch",
      "test_hf_api.TestSquashHistory::test_super_squash_history_on_special_ref",
    ],
  },
  {
    says: "A commit has at most 64 MiB of files that are not large ones: more is for git LFS or Xet.",
    tests: ["test_hf_api.TestCommitApi::test_create_commit_huge_regular_files"],
  },
];

/** The reason of a test that failed; undefined where there is none. */
export function reasonOf(test: string): Reason | undefined {
  return reasons.find(({ tests }) => tests.some((one) => test.startsWith(one)));
}
