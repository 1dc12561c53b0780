/** An IPv6 address: 16 octets in network order, never written to after it was made. */
export type Address = Uint8Array;

export const ADDRESS_LENGTH = 16;
export const UNSPECIFIED: Address = new Uint8Array(ADDRESS_LENGTH);

/** Text of RFC 4291 §2.2 (with or without `::`, with an embedded IPv4 tail); `undefined` when it is not one. No zone. */
export function parseAddress(text: string): Address | undefined {
  let body = text;
  const words: number[] = [];
  const dotted = /^(.*:)(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  if (dotted !== null) {
    const octets = dotted.slice(2).map(Number);
    if (octets.some((octet) => octet > 255)) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = octets;
    body = `${dotted[1] ?? ''}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = body.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  for (const group of groups.flat()) if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  for (const group of head) words.push(parseInt(group, 16));
  if (halves.length === 2) for (let i = 0; i < missing; i++) words.push(0);
  for (const group of tail) words.push(parseInt(group, 16));
  const address = new Uint8Array(ADDRESS_LENGTH);
  words.forEach((word, i) => {
    address[2 * i] = word >> 8;
    address[2 * i + 1] = word & 0xff;
  });
  return address;
}

/** Canonical text, RFC 5952. */
export function formatAddress(address: Address): string {
  const words: number[] = [];
  for (let i = 0; i < 8; i++) words.push(((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0));
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    return `::ffff:${address.slice(12).join('.')}`; // §5: IPv4-mapped
  }
  let best = -1;
  let bestLength = 1; // §4.2.2: a single zero group is not shortened
  for (let i = 0; i < 8;) {
    let end = i;
    while (end < 8 && words[end] === 0) end++;
    if (end - i > bestLength) {
      best = i;
      bestLength = end - i;
    }
    i = end === i ? i + 1 : end;
  }
  const text = (from: number, to: number): string =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':');
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

/** A short string with one character per octet, for use as a `Map` key. */
export function addressKey(address: Address): string {
  return address.length === ADDRESS_LENGTH ? keyOfSixteen(address) : String.fromCharCode(...address);
}

/** The keys of two addresses in one string: unlike a sum of both, it takes no more memory than its octets. */
export function addressPairKey(a: Address, b: Address): string {
  return String.fromCharCode(
    octet(a, 0),
    octet(a, 1),
    octet(a, 2),
    octet(a, 3),
    octet(a, 4),
    octet(a, 5),
    octet(a, 6),
    octet(a, 7),
    octet(a, 8),
    octet(a, 9),
    octet(a, 10),
    octet(a, 11),
    octet(a, 12),
    octet(a, 13),
    octet(a, 14),
    octet(a, 15),
    octet(b, 0),
    octet(b, 1),
    octet(b, 2),
    octet(b, 3),
    octet(b, 4),
    octet(b, 5),
    octet(b, 6),
    octet(b, 7),
    octet(b, 8),
    octet(b, 9),
    octet(b, 10),
    octet(b, 11),
    octet(b, 12),
    octet(b, 13),
    octet(b, 14),
    octet(b, 15),
  );
}

/** Every packet needs one or two keys: written out, it takes an eighth of the time of a spread. */
function keyOfSixteen(a: Address): string {
  return String.fromCharCode(
    octet(a, 0),
    octet(a, 1),
    octet(a, 2),
    octet(a, 3),
    octet(a, 4),
    octet(a, 5),
    octet(a, 6),
    octet(a, 7),
    octet(a, 8),
    octet(a, 9),
    octet(a, 10),
    octet(a, 11),
    octet(a, 12),
    octet(a, 13),
    octet(a, 14),
    octet(a, 15),
  );
}

/** A missing one is 0. */
function octet(octets: Uint8Array, at: number): number {
  return octets[at] ?? 0;
}

export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function isMulticast(address: Address): boolean {
  return address[0] === 0xff;
}

export function isUnspecified(address: Address): boolean {
  return sameOctets(address, UNSPECIFIED);
}

export function isLoopback(address: Address): boolean {
  return address[15] === 1 && address.subarray(0, 15).every((octet) => octet === 0);
}

export function isLinkLocal(address: Address): boolean {
  return address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
}

/** Global unicast or unique local (RFC 4193): what can be a locator (RFC 5534 §3.1). */
export function isGlobalUnicast(address: Address): boolean {
  const siteLocal = address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0xc0;
  return !(isMulticast(address) || isUnspecified(address) || isLoopback(address) || isLinkLocal(address) || siteLocal);
}

/** The first 64 bits. */
export function prefixOf(address: Address): Uint8Array {
  return address.slice(0, 8);
}
