/** The names of a table of IANA numbers, by number. */
export function byNumber<Name extends string>(table: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  const names = new Map<number, Name>();
  for (const name in table) names.set(table[name], name);
  return names;
}
