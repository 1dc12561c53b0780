import type { OwnHipLocator } from './association-io.ts';
import { LOCATOR_ADDRESS, LOCATOR_SPI, TRAFFIC_BOTH, UNBOUNDED_LIFETIME } from './locator-set.ts';
import { offerParameter } from './negotiation.ts';
import type { OwnIdentity } from './orchid.ts';
import { PARAMETER_TYPES } from './parameter.ts';
import type { HipParameter, HostId } from './parameter.ts';
import type { HipSettings } from './settings.ts';

/** RFC 7401 §5.2.11: a transport format is named by the type of its parameter. */
export const ESP_TRANSFORM_FORMAT: number = PARAMETER_TYPES.ESP_TRANSFORM;

/** RFC 7401 §5.2.9, without a domain identifier. */
export function hostIdOf({ identity }: OwnIdentity): HostId {
  const { algorithm, hostIdentity } = identity;
  return { type: 'HOST_ID', algorithm, hostIdentity, domainIdentifierType: 0, domainIdentifier: new Uint8Array(0) };
}

/** RFC 8047 §4.2.8: in R1 locators have no SPI yet. One address alone is the one that the packet comes from. */
export function locatorsBeforeSpi(locators: readonly OwnHipLocator[]): HipParameter[] {
  if (locators.length < 2) return [];
  const entries = locators.map(({ address }) => ({
    trafficType: TRAFFIC_BOTH,
    isPreferred: false, // the Initiator goes on where it has got an answer
    lifetimeSeconds: UNBOUNDED_LIFETIME,
    locator: { locatorType: LOCATOR_ADDRESS, address } as const,
  }));
  return [{ type: 'LOCATOR_SET', locators: entries }];
}

/** RFC 8046 §4.2: all addresses, bound to the SPI of the security association that they share. */
export function locatorSet(locators: readonly OwnHipLocator[], spi: number): HipParameter {
  const entries = locators.map(({ address, isPreferred }) => ({
    trafficType: TRAFFIC_BOTH,
    isPreferred,
    lifetimeSeconds: UNBOUNDED_LIFETIME,
    locator: { locatorType: LOCATOR_SPI, spi, address } as const,
  }));
  return { type: 'LOCATOR_SET', locators: entries };
}

/** What this host offers to another Loci host, if anything. */
export function loci({ detectionMs, offersUdp }: HipSettings): HipParameter[] {
  return detectionMs === undefined && !offersUdp ? [] : [offerParameter({ detectionMs, udp: offersUdp })];
}
