import { z } from 'zod';
import { isDhGroup } from '../crypto/dh-groups.ts';
import { suiteOf } from '../esp/suites.ts';
import type { SuiteId } from '../esp/suites.ts';
import { isHit } from '../hip/orchid.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { HipConfig, Profile } from './config.ts';
import { integer, list, path, tableText } from './schema-values.ts';

const flag = z.boolean({ error: 'must be true or false' });
const hit = z
  .string({ error: 'must be a HIT such as "2001:21::1"' })
  .refine(isHitText, { error: 'must be a HIT: an address in 2001:20::/28 of a known suite' });
const suite = z
  .int({ error: 'must be a suite of RFC 7402 §5.1.2: 1 or 7 to 15' })
  .refine((id) => suiteOf(id) !== undefined, { error: 'must be a suite of RFC 7402 §5.1.2: 1 or 7 to 15' });
const dhGroup = z
  .int({ error: 'must be 3, 4, 7, 8, 9 or 10' })
  .refine((id) => isDhGroup(id), { error: 'must be 3, 4, 7, 8, 9 or 10' });

function isHitText(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && isHit(address);
}

/** The values of the table `[hip]`. */
interface HipTable {
  readonly enabled: boolean;
  readonly key_file?: string | undefined;
  readonly hosts_file: string;
  readonly profile?: Profile | undefined;
  readonly esp_suites: readonly number[];
  readonly dh_groups: readonly number[];
  readonly puzzle_limit: number;
  readonly udp: boolean;
  readonly keylog?: string | undefined;
  readonly peer: readonly { readonly hit: string; readonly short_sequence_numbers: boolean }[];
}

/** The table `[hip]`. */
export const hipTable: z.ZodType<HipTable> = z
  .strictObject(
    {
      enabled: flag.default(false).describe('Whether programs may talk to HITs (RFC 7401).'),
      key_file: path
        .optional()
        .describe('Private key of the Host Identity, from loci keygen hip. Default: hip-key.json in state_directory.'),
      hosts_file: path
        .default('/etc/loci/hip-hosts')
        .describe('Peers and their addresses, one a line: HIT, then locators.'),
      profile: z
        .enum(['fast', 'balanced', 'rfc'], { error: 'must be "fast", "balanced" or "rfc"' })
        .optional()
        .describe('How quickly failures are noticed. Default: profile.'),
      esp_suites: z
        .array(suite, { error: list })
        .min(1, { error: 'must name at least one suite' })
        .max(6, { error: 'must name at most six suites' }) // RFC 7402 §5.1.2
        .default([13, 11, 8, 9])
        .describe(
          'What protects payload (RFC 7402 §5.1.2), best first. 7, 14 and 15 do not encrypt; 1 is for old peers.',
        ),
      dh_groups: z
        .array(dhGroup, { error: list })
        .min(1, { error: 'must name at least one group' })
        .default([7, 8, 9, 4, 3])
        .describe('Diffie-Hellman groups (RFC 7401 §5.2.7), best first.'),
      puzzle_limit: integer(0, 32)
        .default(22)
        .describe('The most difficult puzzle (K) that is solved for a peer (RFC 7401 §4.1.2).'),
      udp: flag.default(true).describe('Carry HIP and ESP in UDP port 10500 where the peer agrees (RFC 9028).'),
      keylog: path
        .optional()
        .describe('File to which the keys of all associations are written, for loci dissect. Default: nowhere.'),
      peer: z
        .array(
          z.strictObject(
            {
              hit: hit.describe('HIT of the peer that is meant.'),
              short_sequence_numbers: flag
                .default(false)
                .describe('Only for tests: this peer authenticates 32-bit sequence numbers, against RFC 7402 §3.3.6.'),
            },
            tableText,
          ),
          { error: 'must be written as [[hip.peer]]' },
        )
        .default([])
        .describe('What is different with some peers.'),
    },
    tableText,
  )
  .prefault({})
  .describe('The Host Identity Protocol. At the next start.');

/** The table with its defaults that depend on others. */
export function hipConfigOf(table: HipTable, profile: Profile, stateDirectory: string): HipConfig {
  return {
    enabled: table.enabled,
    keyFile: table.key_file ?? `${stateDirectory}/hip-key.json`,
    hostsFile: table.hosts_file,
    profile: table.profile ?? profile,
    espSuites: table.esp_suites.filter(isSuiteId),
    dhGroups: table.dh_groups.filter(isDhGroup),
    puzzleLimit: table.puzzle_limit,
    usesUdp: table.udp,
    keylog: table.keylog,
    peersWithShortNumbers: table.peer.filter((peer) => peer.short_sequence_numbers).map((peer) => canonical(peer.hit)),
  };
}

function isSuiteId(id: number): id is SuiteId {
  return suiteOf(id) !== undefined;
}

function canonical(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}
