import { fromHex } from '../../src/wire/hex.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { SUITES } from '../../src/esp/suites.ts';
import type { SuiteId } from '../../src/esp/suites.ts';
import type { SecurityAssociation } from '../../src/esp/security-association.ts';

export function hex(text: string): Uint8Array {
  const octets = fromHex(text.replaceAll(/\s/g, ''));
  if (octets === undefined) throw new TypeError(`not hexadecimal: ${text}`);
  return octets;
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed;
}

export const SUITE_IDS: readonly SuiteId[] = [1, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** HITs. */
export const INITIATOR: Address = address('2001:22:1111:2222:3333:4444:5555:6666');
export const RESPONDER: Address = address('2001:21:aaaa:bbbb:cccc:dddd:eeee:ffff');

export const octets = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + i * 7 + (i >> 8)) & 0xff);

/** An SA with keys of the right length. */
export function association(suite: SuiteId, change: Partial<SecurityAssociation> = {}): SecurityAssociation {
  const { encryptionKeyLength, authenticationKeyLength } = SUITES[suite];
  return {
    spi: 0x1122_3344,
    suite,
    keys: { encryption: octets(encryptionKeyLength, 3), authentication: octets(authenticationKeyLength, 91) },
    source: INITIATOR,
    destination: RESPONDER,
    ...change,
  };
}
