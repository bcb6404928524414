/**
 * What follows from a value that never changes, such as a configuration, worked out once for each.
 * A step asks for our own host, site and mirrors dozens of times; to search them anew each time
 * cost more than most of what a step does with them.
 */
export function onceFor<Key extends object, Fact extends NonNullable<unknown> | null>(
  workOut: (key: Key) => Fact,
): (key: Key) => Fact {
  const known = new WeakMap<Key, Fact>();
  return (key) => {
    const fact = known.get(key);
    if (fact !== undefined) return fact;
    const found = workOut(key);
    known.set(key, found);
    return found;
  };
}
