import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { generateCga } from '../../src/cga/generate.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import type { Signer } from '../../src/crypto/ports.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { NO_PREFERENCE } from '../../src/shim6/locator-list.ts';
import { ip } from './spec-vectors.ts';
import { seeded, twoHosts } from './world.ts';
import type { HostOptions } from './world.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 1024,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'der' },
});

/** An RSA-1024 signer that counts what it signs. */
export const signer: Signer & { count: number } = {
  count: 0,
  publicKey: new Uint8Array(createPublicKey(createPrivateKey(privateKey)).export({ type: 'spki', format: 'der' })),
  sign: (octets) => {
    signer.count += 1;
    return new Uint8Array(sign('RSA-SHA1', octets, privateKey));
  },
};

/** A host whose ULID is a CGA; its other locators are any addresses, signed for. */
export function cgaIdentity(seed: number, others: readonly string[]): NonNullable<HostOptions['identity']> {
  const ulid = generateCga({
    crypto: nodeCrypto,
    random: seeded(seed),
    publicKey: signer.publicKey,
    prefix: ip('2001:db8:a:1::').slice(0, 8),
    sec: 0,
  });
  const parameters = encodeCgaParameters(ulid.parameters);
  const addresses = [ulid.address, ...others.map(ip)];
  const locators = addresses.map((address) => ({ ...NO_PREFERENCE, address, method: 'cga' as const }));
  return { parametersOf: () => parameters, locators, signer };
}

/** A CGA host A and an HBA host B with an established context. */
export function cgaHosts({ single = false }: { readonly single?: boolean } = {}): ReturnType<typeof twoHosts> {
  const built = twoHosts({ a: { identity: cgaIdentity(3, single ? [] : ['2001:db8:a:2::77']) } });
  built.world.start(built.a, built.ab);
  built.world.run(1000);
  if (built.b.context.state !== 'ESTABLISHED') throw new Error('not established');
  return built;
}
