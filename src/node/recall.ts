import { UNSPECIFIED } from '../wire/address.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import { joined } from './netlink/attributes.ts';
import { NLM_F_CREATE } from './netlink/message.ts';
import { RT_TABLE_MAIN } from './netlink/route.ts';
import { RTM_DELRULE, RTM_NEWRULE, writeRule } from './netlink/rule.ts';
import { PROTOCOL } from './own-mark.ts';

/**
 * The request that makes sockets look again: they keep the route that they found when they connected, whatever is added to
 * other tables, until some rule is added. This one fits no packet, and goes at once.
 */
export function recallSockets({ locatorPreference }: InterceptionNumbers): Uint8Array {
  const rule = {
    priority: locatorPreference,
    destination: UNSPECIFIED,
    protocol: PROTOCOL,
    table: RT_TABLE_MAIN,
    suppressPrefixLength: 0,
  };
  return joined([writeRule(RTM_NEWRULE, NLM_F_CREATE, rule), writeRule(RTM_DELRULE, 0, rule)]);
}
