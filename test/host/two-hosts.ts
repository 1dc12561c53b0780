import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Signer } from '../../src/crypto/ports.ts';
import type { HostSettings } from '../../src/host/host-io.ts';
import { nodeCrypto, rsaSigner } from '../../src/node/crypto.ts';
import { TwoHosts } from '../../src/sim/two-hosts.ts';
import type { Address } from '../../src/wire/address.ts';

/** Keys made for these tests only. */
export const signers: { readonly a: Signer; readonly b: Signer } = { a: signer('a'), b: signer('b') };

function signer(name: string): Signer {
  return rsaSigner(createPrivateKey(readFileSync(new URL(`../vectors/test-key-${name}.pem`, import.meta.url))));
}

export function twoHosts(
  seed: number,
  settings: Partial<HostSettings> = {},
  ofB: Partial<HostSettings> = settings,
): TwoHosts {
  return new TwoHosts({ seed, crypto: nodeCrypto, signers, settings, settingsOfB: ofB });
}

/** Two hosts with an established context, and the addresses of a packet from b to a. */
export function establishedPair(): { hosts: TwoHosts; source: Address; destination: Address } {
  const hosts = twoHosts(1);
  hosts.establish();
  hosts.run(1_000);
  const { local: destination, peer: source } = hosts.ulids(hosts.a);
  return { hosts, source, destination };
}
