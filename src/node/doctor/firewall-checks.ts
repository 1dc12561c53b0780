import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, systemCode } from '../error.ts';
import { Checks } from './check.ts';
import type { Check } from './check.ts';
import { obstacles, reversePathFilters } from './firewall.ts';
import type { Obstacle } from './firewall.ts';
import { parseRuleset } from './ruleset.ts';
import type { Chain } from './ruleset.ts';

/** Protocols that Loci hosts use: Shim6 needs 140; HIP has 139, and ESP (50) for its payload. */
const PROTOCOLS = [140, 139, 50] as const;

/** The packet filter of this host, as `nft` tells it. */
export async function checkFirewall(): Promise<Check[]> {
  const checks = new Checks('firewall');
  try {
    const { stdout } = await promisify(execFile)('nft', ['-j', 'list', 'ruleset'], { maxBuffer: 64 << 20 });
    return firewallChecks(parseRuleset(stdout));
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      return [checks.skipped('nft is not installed, so the packet filter was not looked at', 'apt install nftables')];
    return [
      checks.skipped(
        `nft does not show the packet filter (${messageOf(error).split('\n')[0] ?? ''})`,
        'run as root: loci doctor',
      ),
    ];
  }
}

/** What a ruleset means for Loci; one check for every rule or policy in the way. */
export function firewallChecks(chains: readonly Chain[]): Check[] {
  const found = new Map<string, { readonly obstacle: Obstacle; readonly protocols: number[] }>();
  for (const protocol of PROTOCOLS) {
    for (const obstacle of obstacles(chains, protocol)) {
      const { chain, handle, certain } = obstacle;
      const key = `${nameOf(chain)} ${String(handle)} ${String(certain)}`;
      const same = found.get(key) ?? { obstacle, protocols: [] };
      same.protocols.push(protocol);
      found.set(key, same);
    }
  }
  const filters = reversePathChecks(chains);
  const inTheWay = [...found.values()].map(({ obstacle, protocols }) => firewallCheck(obstacle, protocols));
  if (inTheWay.length === 0)
    inTheWay.push(new Checks('firewall').ok('no rule of nf_tables stops IP protocols 140, 139 or 50'));
  return [...inTheWay, ...filters];
}

function firewallCheck({ chain, handle, certain }: Obstacle, protocols: readonly number[]): Check {
  const checks = new Checks('firewall');
  const which =
    handle === undefined ? `the policy of chain ${nameOf(chain)}` : `rule ${String(handle)} of chain ${nameOf(chain)}`;
  const list = protocols.map(String).join(', ');
  const what = `${which} drops IP protocol${protocols.length > 1 ? 's' : ''} ${list}`;
  const set = protocols.length > 1 ? `{ ${list} }` : list;
  const remedy = `let them through ahead of it: nft insert rule ${nameOf(chain)} meta l4proto ${set} accept`;
  if (certain && protocols.includes(140)) return checks.failed(what, remedy);
  return checks.warning(certain ? what : `${what}, except under conditions such as a known connection`, remedy);
}

function reversePathChecks(chains: readonly Chain[]): Check[] {
  const checks = new Checks('reverse-path');
  const found = reversePathFilters(chains);
  if (found.length === 0) return [checks.ok('no strict reverse-path filter in nf_tables')];
  return found.map(({ chain, handle }) =>
    checks.warning(
      `rule ${String(handle)} of chain ${nameOf(chain)} drops what is not routed back by the interface on which it came`,
      `make it loose, or drop it: nft delete rule ${nameOf(chain)} handle ${String(handle)} (firewalld: IPv6_rpfilter=loose)`,
    ),
  );
}

function nameOf({ family, table, name }: Chain): string {
  return `${family} ${table} ${name}`;
}
