import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { encodeCgaParameters } from '../cga/parameters.ts';
import { nodeCrypto } from '../node/crypto.ts';
import { searchModifier } from '../node/modifier-search.ts';
import type { Address } from '../wire/address.ts';
import type { Config } from './config.ts';
import type { Identity } from '../node/own-address.ts';
import { addressOf, newCgaKey, readKeyFile, writeKeyFile } from './keys.ts';
import type { IdentityKey } from './keys.ts';
import type { Log } from './log.ts';
import { matchesInterface } from './selection.ts';

/** An identity of this host with its key. */
export interface KeyedIdentity extends Identity {
  readonly key: IdentityKey;
}

/** The identities that the configuration names, the one that programs get without asking first. */
export async function identitiesOf(config: Config, log: Log): Promise<KeyedIdentity[]> {
  const identities: KeyedIdentity[] = [];
  for (const { name, keyFile, interfaces } of [{ keyFile: config.keyFile, interfaces: [] }, ...config.identities].map(
    (one) => ({ name: undefined, ...one }),
  )) {
    const key = await keyOf(keyFile, log);
    identities.push({
      name,
      key,
      formAddress: (prefix, count) => identifierFor(key, prefix, count)?.address,
      isOn: (interfaceName) =>
        interfaces.length === 0 || interfaces.some((pattern) => matchesInterface(pattern, interfaceName)),
    });
  }
  return identities;
}

/** The key of an identity; made at the first start. */
async function keyOf(keyFile: string, log: Log): Promise<IdentityKey> {
  if (existsSync(keyFile)) return readKeyFile(keyFile);
  mkdirSync(dirname(keyFile), { recursive: true, mode: 0o700 });
  const key = await newCgaKey({ sec: 1, search: searchModifier });
  writeKeyFile(keyFile, key);
  log.info({ file: keyFile }, 'made a key for the identifiers of this host');
  return key;
}

/** An identifier for a prefix, with the CGA Parameters that prove it. */
export interface Identifier {
  readonly address: Address;
  readonly parameters: Uint8Array;
}

/** `undefined` when the key cannot have one there: a prefix outside of an HBA set. */
export function identifierFor(key: IdentityKey, prefix: Uint8Array, collisionCount: number): Identifier | undefined {
  const cga = addressOf(nodeCrypto, key, prefix, collisionCount);
  return cga && { address: cga.address, parameters: encodeCgaParameters(cga.parameters) };
}
