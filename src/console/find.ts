/** What somebody typed into the search: an id has its story, a Space its page, and all else is looked for among the Spaces' names. */

/** `c_31f…`, and what has another form: a commit of a Space, a discussion, a model, a slot, an entry. */
const ids = [
  /^[a-z]{1,4}_[0-9a-z]+$/,
  /^[^\s/]+\/[^\s/]+[@#][^\s/]+$/,
  /^(models|datasets|spaces)\/[^\s/]+\/[^\s/]+$/,
  /^[^\s/]+\/\d+\/\d+(\.\d+)?$/,
];
const spaceName = /^[a-z0-9][a-z0-9._-]{0,63}\/[a-z0-9][a-z0-9._-]{0,95}$/;

export function placeFound(typed: string): string {
  const text = typed.trim();
  if (ids.some((form) => form.test(text))) return storyPath(text);
  if (spaceName.test(text)) return `/spaces/${text}`;
  return addressOf("/", { find: text });
}

/** With what it is asked for; what has no value is left out. */
export function addressOf(path: string, asked: Readonly<Record<string, string | null>>): string {
  const named = Object.entries(asked).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return named.length === 0 ? path : `${path}?${new URLSearchParams(named).toString()}`;
}

/** Where operators see an account. */
export function accountPath(account: string): string {
  return addressOf("/admin/accounts", { account });
}

/** Where an id's story is. */
export function storyPath(id: string): string {
  return `/w/${pathOf(id)}`;
}

/** Its parts encoded, so that it stays as many. */
export function pathOf(id: string): string {
  return id.split("/").map(encodeURIComponent).join("/");
}
