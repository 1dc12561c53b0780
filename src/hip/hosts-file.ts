import { isUnspecified, parseAddress } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { isHit } from './orchid.ts';
import type { Hit } from './parameter.ts';

/** A peer of the hosts file. */
export interface HipHost {
  readonly hit: Hit;
  /** Host names, the first one being the name that the peer is shown by. */
  readonly names: readonly string[];
  /** Where it can be reached, in order of preference; IPv4 addresses are IPv4-mapped. */
  readonly locators: readonly Address[];
}

export type ParsedHosts =
  | { readonly ok: true; readonly hosts: readonly HipHost[] }
  /** `line` counts from 1. */
  | { readonly ok: false; readonly line: number; readonly problem: string };

/**
 * The hosts file: what HIPL keeps in `/etc/hip/hosts`, with the locators in the same line.
 *
 *     # comment
 *     2001:21:cb0c:1dcb:aea3:c363:8159:431e  server.example  2001:db8:a::1  2001:db8:b::1  192.0.2.1
 *
 * First the HIT; then, in any order, names and locators: what reads as an address is a locator. One line a peer.
 */
export function parseHostsFile(text: string): ParsedHosts {
  const hosts: HipHost[] = [];
  const taken = new Map<string, number>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.replace(/#.*$/s, '').split(/\s+/).filter(Boolean);
    const [first, ...rest] = words;
    if (first === undefined) continue;
    const number = index + 1;
    const refused = (problem: string): ParsedHosts => ({ ok: false, line: number, problem });
    const hit = parseAddress(first);
    if (hit === undefined || !isHit(hit)) return refused(`"${printable(first)}" is not a HIT`);
    const names: string[] = [];
    const locators: Address[] = [];
    for (const word of rest) {
      const locator = locatorOf(word);
      if (locator === undefined && !isHostName(word)) {
        return refused(`"${printable(word)}" is neither an address nor a host name`);
      }
      if (locator === undefined) names.push(word.toLowerCase());
      else if (isHit(locator) || isUnspecified(locator)) return refused(`"${printable(word)}" cannot be a locator`);
      else locators.push(locator);
    }
    for (const key of [hit.join(), ...names]) {
      const before = taken.get(key);
      if (before !== undefined) {
        return refused(`"${key === hit.join() ? printable(first) : key}" is in line ${String(before)} already`);
      }
      taken.set(key, number);
    }
    hosts.push({ hit, names, locators });
  }
  return { ok: true, hosts };
}

function locatorOf(word: string): Address | undefined {
  return parseAddress(word) ?? (/^[\d.]+$/.test(word) ? parseAddress(`::ffff:${word}`) : undefined);
}

/** RFC 1123 §2.1; all digits and dots would be a mistyped address. */
function isHostName(word: string): boolean {
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
  const isName = word
    .replace(/\.$/, '')
    .split('.')
    .every((part) => label.test(part));
  return isName && word.length <= 254 && !/^[\d.]+$/.test(word);
}

/** For complaints: short, and nothing that a terminal obeys. */
function printable(word: string): string {
  return word.replace(/[^\x21-\x7e]/g, '?').slice(0, 60);
}
