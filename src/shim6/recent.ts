/** What `memory` holds under `key`, or `make` anew; it holds `most` values, and forgets the one not asked for longest. */
export function recall<Value>(memory: Map<string, Value>, key: string, most: number, make: () => Value): Value {
  const value = memory.get(key) ?? make();
  memory.delete(key);
  memory.set(key, value); // last in the order of use
  if (memory.size > most) {
    for (const oldest of memory.keys()) {
      memory.delete(oldest);
      break;
    }
  }
  return value;
}
