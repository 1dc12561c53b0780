import { lookup } from 'node:dns/promises';
import { LociError, messageOf } from '../node/error.ts';
import { parseAddress } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** The addresses that a text means: one, several with commas between, or those of a name, in the order that it names them. */
export async function addressesOf(text: string): Promise<Address[]> {
  const parts = text.split(',').map((part) => part.trim());
  return (await Promise.all(parts.map(addressesOfPart))).flat();
}

async function addressesOfPart(text: string): Promise<Address[]> {
  const address = parseAddress(text);
  if (address !== undefined) return [address];
  if (!/^[a-z0-9_](?:[a-z0-9_.-]*)$/i.test(text))
    throw new LociError('usage', `${text} is neither an IPv6 address nor a name`);
  try {
    const found = await lookup(text, { all: true, family: 6, order: 'verbatim' });
    return found.flatMap(({ address: one }) => parseAddress(one) ?? []);
  } catch (cause) {
    throw new LociError('usage', `${text} has no IPv6 address (${messageOf(cause)}); give the address itself`, {
      cause,
    });
  }
}
