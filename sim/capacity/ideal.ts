/** Weighted max-min: everybody has all that they asked for, or as much for their weight as anybody has. */
export function idealOf(asked: Float64Array, whole: number, weightOf: (user: number) => number): Float64Array {
  const order = [...asked.keys()].filter((user) => (asked[user] as number) > 0);
  order.sort((a, b) => (asked[a] as number) / weightOf(a) - (asked[b] as number) / weightOf(b));
  const due = new Float64Array(asked.length);
  let weight = order.reduce((sum, user) => sum + weightOf(user), 0);
  let left = whole;
  for (const user of order) {
    const part = Math.min(asked[user] as number, (left / weight) * weightOf(user));
    due[user] = part;
    left -= part;
    weight -= weightOf(user);
  }
  return due;
}
