import type { AssociationStateName, LocatorStatus, SaHalf } from '../hip/association-io.ts';
import { formatAddress } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { Instant } from '../wire/time.ts';
import type { PairText } from './events.ts';
import type { HipHost } from './hip-host.ts';
import type { HipPeer } from './hip-peer.ts';

/** What is shown of an association. */
export interface AssociationSnapshot {
  readonly hits: PairText;
  readonly state: AssociationStateName;
  readonly ageMs: number | undefined;
  /** Where payload goes. */
  readonly pair: PairText | undefined;
  readonly carriage: 'raw' | 'udp' | undefined;
  readonly suite: number | undefined;
  readonly spis: { readonly in: readonly string[]; readonly out: readonly string[] };
  readonly peerLocators: readonly { readonly address: string; readonly status: LocatorStatus }[];
}

/** Keys of one direction, for people who want to read their own traffic. */
export interface EspKeysSnapshot {
  readonly spi: string;
  readonly suite: number;
  readonly source: string;
  readonly destination: string;
  readonly encryption: string;
  readonly authentication: string;
}

export function showAssociations(host: HipHost, now: Instant): AssociationSnapshot[] {
  return [...host.peers].map((peer) => showAssociation(peer, now));
}

function showAssociation(
  { own, hit, association, associations, path, establishedAt }: HipPeer,
  now: Instant,
): AssociationSnapshot {
  const spis = (direction: SaHalf['direction']): string[] =>
    associations.filter((sa) => sa.direction === direction).map((sa) => spiText(sa.spi));
  return {
    hits: [formatAddress(own), formatAddress(hit)],
    state: association.state,
    ageMs: establishedAt === undefined ? undefined : Math.round(now - establishedAt),
    pair: path && [formatAddress(path.local), formatAddress(path.peer)],
    carriage: path?.carriage,
    suite: associations.at(-1)?.suite,
    spis: { in: spis('in'), out: spis('out') },
    peerLocators: association.peerLocators.map(({ address, status }) => ({ address: formatAddress(address), status })),
  };
}

export function showEspKeys(host: HipHost): EspKeysSnapshot[] {
  return [...host.peers].flatMap(({ own, hit, associations }) =>
    associations.map(({ direction, spi, suite, keys }) => {
      const [source, destination] = direction === 'in' ? [hit, own] : [own, hit];
      return {
        spi: spiText(spi),
        suite,
        source: formatAddress(source),
        destination: formatAddress(destination),
        encryption: toHex(keys.encryption),
        authentication: toHex(keys.authentication),
      };
    }),
  );
}

function spiText(spi: number): string {
  return `0x${spi.toString(16).padStart(8, '0')}`;
}
