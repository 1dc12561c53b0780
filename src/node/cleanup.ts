import { formatAddress } from '../wire/address.ts';
import { prefixText } from './clash.ts';
import type { LociError } from './error.ts';
import { listAddresses, parseAddressMessage, RTM_DELADDR } from './netlink/address.ts';
import { listLabels, parseLabel, RTM_DELADDRLABEL } from './netlink/label.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { deletion } from './netlink/message.ts';
import { listRoutes, parseRoute, RTM_DELROUTE, RTM_F_CLONED } from './netlink/route.ts';
import { listRules, parseRule, RTM_DELRULE } from './netlink/rule.ts';
import { LABEL, PROTOCOL } from './own-mark.ts';
import { GONE, refusalOf } from './refusal.ts';

/** Something of ours that was found in the kernel. */
export interface Leftover {
  readonly kind: 'rule' | 'route' | 'address' | 'label';
  readonly text: string;
}

interface Found extends Leftover {
  readonly request: Uint8Array;
}

/**
 * Removes every rule, route, address and label that carries our mark, whatever the configuration was when it was set, and
 * returns what it removed. Rules go first: without them no packet looks at the rest. Harmless to repeat.
 */
export function cleanUp(
  route: NetlinkExchange,
  { keepAddresses = false }: { readonly keepAddresses?: boolean } = {},
): Leftover[] {
  const removed: Leftover[] = [];
  const problems: LociError[] = [];
  for (const find of [findRules, findRoutes, findLabels, ...(keepAddresses ? [] : [findAddresses])]) {
    const found = [...find(route)];
    for (const { kind, text, request } of found) {
      const refusal = refusalOf(route, request, GONE);
      if (refusal === undefined) removed.push({ kind, text });
      else problems.push(refusal);
    }
  }
  const [problem] = problems;
  if (problem !== undefined) throw problem;
  return removed;
}

function* findRules(route: NetlinkExchange): Generator<Found> {
  for (const message of route.exchange(listRules())) {
    const rule = parseRule(message);
    if (!rule.ok || rule.value.protocol !== PROTOCOL) continue;
    const { priority, source, destination, table } = rule.value;
    const text = `${String(priority)}: from ${prefixText(source)} to ${prefixText(destination)} lookup ${String(table)}`;
    yield { kind: 'rule', text, request: deletion(message, RTM_DELRULE) };
  }
}

function* findRoutes(route: NetlinkExchange): Generator<Found> {
  for (const message of route.exchange(listRoutes())) {
    const parsed = parseRoute(message);
    if (!parsed.ok || parsed.value.protocol !== PROTOCOL || (parsed.value.flags & RTM_F_CLONED) !== 0) continue;
    const { destination, table } = parsed.value;
    const text = `${destination.length === 0 ? 'default' : prefixText(destination)} table ${String(table)}`;
    yield { kind: 'route', text, request: deletion(message, RTM_DELROUTE) };
  }
}

function* findAddresses(route: NetlinkExchange): Generator<Found> {
  for (const message of route.exchange(listAddresses())) {
    const address = parseAddressMessage(message);
    if (!address.ok || address.value.protocol !== PROTOCOL) continue;
    const text = `${formatAddress(address.value.address)}/${String(address.value.prefixLength)}`;
    yield { kind: 'address', text, request: deletion(message, RTM_DELADDR) };
  }
}

function* findLabels(route: NetlinkExchange): Generator<Found> {
  for (const message of route.exchange(listLabels())) {
    const label = parseLabel(message);
    if (!label.ok || label.value.label !== LABEL) continue;
    const text = prefixText({ address: label.value.prefix, length: label.value.prefixLength });
    yield { kind: 'label', text, request: deletion(message, RTM_DELADDRLABEL) };
  }
}
