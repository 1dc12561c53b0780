import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { encodeCgaParameters } from '../cga/parameters.ts';
import { nodeCrypto } from '../node/crypto.ts';
import { searchModifier } from '../node/modifier-search.ts';
import type { Address } from '../wire/address.ts';
import type { Config } from './config.ts';
import { addressOf, newCgaKey, readKeyFile, writeKeyFile } from './keys.ts';
import type { IdentityKey } from './keys.ts';
import type { Log } from './log.ts';

/** The key of this host's identifiers; made at the first start. */
export async function identityOf(config: Config, log: Log): Promise<IdentityKey> {
  if (existsSync(config.keyFile)) return readKeyFile(config.keyFile);
  mkdirSync(dirname(config.keyFile), { recursive: true, mode: 0o700 });
  const key = await newCgaKey({ sec: 1, search: searchModifier });
  writeKeyFile(config.keyFile, key);
  log.info({ file: config.keyFile }, 'made a key for the identifiers of this host');
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
