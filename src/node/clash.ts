import { formatAddress } from '../wire/address.ts';
import { LociError } from './error.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { listRoutes, parseRoute, RTM_F_CLONED } from './netlink/route.ts';
import type { Prefix } from './netlink/route.ts';
import { listRules, parseRule } from './netlink/rule.ts';
import type { RuleMessage } from './netlink/rule.ts';
import { PROTOCOL } from './own-mark.ts';

/** Throws one `LociError` `clash` that names every preference, table and mark that others use already. */
export function refuseClashes(route: NetlinkExchange, numbers: InterceptionNumbers): void {
  const clashes = clashesOf(route, numbers);
  if (clashes.length === 0) return;
  throw new LociError(
    'clash',
    `others use what interception wants: ${clashes.join('; ')}; choose other numbers under [interception] or remove them`,
  );
}

/** Every preference, table and mark that others use already, one sentence each. */
export function clashesOf(route: NetlinkExchange, numbers: InterceptionNumbers): string[] {
  return [...new Set([...ruleClashes(route, numbers), ...routeClashes(route, numbers)])];
}

function* ruleClashes(route: NetlinkExchange, numbers: InterceptionNumbers): Generator<string> {
  for (const message of route.exchange(listRules())) {
    const parsed = parseRule(message);
    if (!parsed.ok || parsed.value.protocol === PROTOCOL) continue;
    const rule = parsed.value;
    const text = `rule ${String(rule.priority)} (${describe(rule)})`;
    if (isOwnPreference(rule.priority, numbers)) yield `${text} has a preference of ours`;
    else if (isOwnTable(rule.table, numbers)) yield `${text} looks up table ${String(rule.table)}`;
    if ((rule.mask & numbers.mark) !== 0) yield `${text} tests mark 0x${numbers.mark.toString(16)}`;
  }
}

function* routeClashes(route: NetlinkExchange, numbers: InterceptionNumbers): Generator<string> {
  for (const message of route.exchange(listRoutes())) {
    const parsed = parseRoute(message);
    if (!parsed.ok || parsed.value.protocol === PROTOCOL || (parsed.value.flags & RTM_F_CLONED) !== 0) continue;
    if (isOwnTable(parsed.value.table, numbers)) yield `table ${String(parsed.value.table)} has routes`;
  }
}

function isOwnPreference(preference: number, numbers: InterceptionNumbers): boolean {
  if (preference === numbers.divertPreference) return true;
  return isWithin(preference, numbers.locatorPreference, numbers.maxLocators);
}

function isOwnTable(table: number, numbers: InterceptionNumbers): boolean {
  return table === numbers.divertTable || isWithin(table, numbers.locatorTable, 2 * numbers.maxLocators);
}

function isWithin(value: number, first: number, count: number): boolean {
  return value >= first && value < first + count;
}

function describe(rule: RuleMessage): string {
  const parts = [`from ${prefixText(rule.source)}`];
  if (rule.destination.length > 0) parts.push(`to ${prefixText(rule.destination)}`);
  return `${parts.join(' ')} lookup ${String(rule.table)}`;
}

/** As iproute2 writes it. */
export function prefixText({ address, length }: Prefix): string {
  if (length === 0) return 'all';
  return length === 128 ? formatAddress(address) : `${formatAddress(address)}/${String(length)}`;
}
