import { IPv6CidrRange } from 'ip-num';
import { z } from 'zod';
import type { Config } from './config.ts';
import { hipConfigOf, hipTable } from './hip-schema.ts';
import { integer, list, path, tableText, text } from './schema-values.ts';

/** Rules and routing tables that the locators of a host may take, from `locator_preference` and `locator_table` upwards. */
const LOCATOR_TABLES = 64;

const socketPath = text(/^\/[^\0]{1,106}$/, 'must be an absolute path of at most 107 octets'); // sun_path of unix(7)
const interfaceName = text(/^[^\s/*]{1,15}$/, 'must be an interface name of 1 to 15 characters'); // IFNAMSIZ
const interfacePattern = text(/^[^\s/*]{0,15}\*?$/, 'must be an interface name, or the beginning of one followed by *');
const prefix = z
  .string({ error: 'must be an IPv6 prefix such as "2001:db8::/32"' })
  .refine(isPrefix, { error: 'must be an IPv6 prefix such as "2001:db8::/32"' });
const preference = integer(1, 32_765 - LOCATOR_TABLES); // 0 is the local table, 32766 the main one
const markText = 'must have exactly one of 32 bits set, such as 0x10000000';
const mark = z
  .int({ error: markText })
  .refine((number) => number > 0 && number < 2 ** 32 && Number.isInteger(Math.log2(number)), { error: markText });
const routingTable = integer(1, 0x7fff_ffff).refine((number) => number < 253 || number > 255, {
  error: 'must not be 253, 254 or 255: the kernel has its own tables there',
});

function isPrefix(candidate: string): boolean {
  try {
    IPv6CidrRange.fromCidr(candidate);
    return true;
  } catch {
    return false; // the library reports bad text by throwing only
  }
}

const file = z.strictObject({
  profile: z
    .enum(['fast', 'balanced', 'rfc'], { error: 'must be "fast", "balanced" or "rfc"' })
    .default('fast')
    .describe('How quickly failures are noticed. With Shim6 hosts that are not Loci, the times of RFC 5534 hold.'),
  key_file: path
    .optional()
    .describe(
      'Private key of the identifiers; made at the first start, mode 0600. Default: key.json in state_directory.',
    ),
  state_directory: path.default('/var/lib/loci').describe('What must survive a restart.'),
  control_socket: socketPath.default('/run/loci/control.sock').describe('Where loci asks; mode 0600.'),
  metrics_socket: socketPath
    .optional()
    .describe('Where metrics are read, by HTTP in the form of OpenMetrics; mode 0600. Default: nowhere.'),
  log_level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], {
      error: 'must be "debug", "info", "warn", "error" or "silent"',
    })
    .default('info')
    .describe('Least severe message that is written to stderr.'),
  interfaces: z
    .strictObject(
      {
        include: z
          .array(interfacePattern, { error: list })
          .default([])
          .describe('Interfaces whose addresses become locators; empty: all.'),
        exclude: z
          .array(interfacePattern, { error: list })
          .default([])
          .describe('Interfaces that are left alone; wins over include.'),
      },
      tableText,
    )
    .prefault({})
    .describe('Which interfaces take part. The loopback and the TUN device never do. A name may end in *.'),
  tun: z
    .strictObject({ name: interfaceName.default('loci0').describe('Name of the TUN device.') }, tableText)
    .prefault({})
    .describe('The device into which traffic is diverted.'),
  interception: z
    .strictObject(
      {
        mark: mark.default(0x1000_0000).describe('Firewall mark on packets that Loci itself sends; one bit.'),
        divert_preference: preference
          .default(100)
          .describe('Preference of the rule that leads to the routes of diverted pairs of identifiers.'),
        locator_preference: preference
          .default(2001)
          .describe('Preference of the first rule "from a locator of ours"; the next locator has the next.'),
        table: routingTable.default(533).describe('Routing table of diverted pairs.'),
        locator_table: routingTable
          .default(1001)
          .describe('Routing table of the first locator; the next one has the next.'),
        rto_min_ms: integer(0, 10_000)
          .default(50)
          .describe('Smallest TCP retransmission timeout on routes to Loci peers; 0: leave it to the kernel.'),
        deliver_all_errors: z
          .boolean({ error: 'must be true or false' })
          .default(false)
          .describe('Programs get ICMPv6 errors about diverted packets also while Loci looks for another path.'),
      },
      tableText,
    )
    .refine((own) => own.divert_preference < own.locator_preference, {
      path: ['locator_preference'],
      error: 'must be greater than divert_preference',
    })
    .refine((own) => own.table < own.locator_table || own.table >= own.locator_table + LOCATOR_TABLES, {
      path: ['locator_table'],
      error: `must leave ${String(LOCATOR_TABLES)} numbers free that do not contain table`,
    })
    .prefault({})
    .describe('Numbers of rules and tables in the kernel. Change them when they clash with others.'),
  policy: z
    .strictObject(
      {
        trigger_packets: integer(1, 1_000_000)
          .default(50)
          .describe('Packets to or from a peer after which a context is set up.'),
        trigger_bytes: integer(0, Number.MAX_SAFE_INTEGER)
          .default(0)
          .describe('Octets to a peer after which a context is set up; 0: they do not count.'),
        trigger_seconds: integer(0, 86_400)
          .default(10)
          .describe('Seconds of traffic after which a context is set up; 0: packets alone decide.'),
        exempt_ports: z
          .array(integer(1, 65_535), { error: list })
          .default([53])
          .describe('TCP and UDP ports whose traffic triggers nothing, unless a rule says otherwise.'),
        rule: z
          .array(
            z.strictObject(
              {
                peer: prefix.optional().describe('Peers that are meant; all when left out.'),
                port: integer(1, 65_535)
                  .optional()
                  .describe('TCP or UDP port at either end; any traffic when left out.'),
                context: z
                  .enum(['never', 'always', 'deferred'], { error: 'must be "never", "always" or "deferred"' })
                  .default('deferred')
                  .describe('Set up a context never, with the first packet, or when a trigger says so.'),
                trigger_packets: integer(1, 1_000_000).optional().describe('Default: that of policy.'),
                trigger_bytes: integer(0, Number.MAX_SAFE_INTEGER).optional().describe('Default: that of policy.'),
                trigger_seconds: integer(0, 86_400).optional().describe('Default: that of policy.'),
              },
              tableText,
            ),
            { error: 'must be written as [[policy.rule]]' },
          )
          .max(32, { error: 'must have at most 32 tables' })
          .default([])
          .describe('What is different for some traffic; the first rule that fits decides. At the next start.'),
        allow: z.array(prefix, { error: list }).default([]).describe('Peers that may have contexts; empty: all.'),
        deny: z.array(prefix, { error: list }).default([]).describe('Peers that may not; wins over allow.'),
        idle_minutes: integer(1, 10_080)
          .default(5)
          .describe('A context without traffic is dropped after this time (RFC 5533 §9: at least 5).'),
      },
      tableText,
    )
    .prefault({})
    .describe('Which traffic gets a context, and for how long.'),
  detection: z
    .strictObject(
      {
        return_after_seconds: integer(0, 86_400)
          .default(5)
          .describe(
            'The preferred pair must have answered for this long before traffic goes back to it; 0: never go back.',
          ),
        probe_budget: integer(1, 10_000)
          .default(200)
          .describe('Probes per second of the whole host, shared by all contexts.'),
        send_timeout_ms: z
          .strictObject(
            {
              fast: integer(10, 65_535).optional().describe('For contexts in the profile fast.'),
              balanced: integer(10, 65_535).optional().describe('For contexts in the profile balanced.'),
              rfc: integer(1_000, 65_535_000)
                .multipleOf(1_000, { error: 'must be whole seconds: a multiple of 1000' })
                .optional()
                .describe('For contexts in the profile rfc; whole seconds (RFC 5534 §5.3).'),
            },
            tableText,
          )
          .prefault({})
          .describe('Silence that is taken for a failure (RFC 5534 §7); overrides the value of the profile.'),
      },
      tableText,
    )
    .prefault({})
    .describe('How failures are found, and when traffic returns.'),
  link: z
    .array(
      z.strictObject(
        {
          interface: interfacePattern.describe('Interface that is meant. A name may end in *.'),
          cost: integer(0, 49).default(0).describe('What its use costs; traffic takes the cheapest pair that works.'),
          backup: z
            .boolean({ error: 'must be true or false' })
            .default(false)
            .describe('Idle, and not even tested, as long as another link works.'),
        },
        tableText,
      ),
      { error: 'must be written as [[link]]' },
    )
    .default([])
    .describe('Which links are better than others; the first table that names an interface counts.'),
  peer: z
    .array(
      z
        .strictObject(
          {
            prefix: prefix.optional().describe('Identifiers of the peers that are meant; left out: any.'),
            key: text(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits')
              .optional()
              .describe(
                'SHA-256 of the public key (DER SubjectPublicKeyInfo) of the peer that is meant, as loci keygen shows it.',
              ),
            interface: interfacePattern
              .optional()
              .describe('Interface of this host on which the peer arrives. A name may end in *.'),
            accept: z
              .boolean({ error: 'must be true or false' })
              .default(true)
              .describe('Whether it may open a context. The first table that is about a peer decides.'),
            announce: z
              .array(interfacePattern, { error: list })
              .optional()
              .describe('Interfaces whose addresses it is told; the identifier itself always is. Left out: all.'),
          },
          tableText,
        )
        .refine((peer) => peer.announce === undefined || (peer.key === undefined && peer.interface === undefined), {
          path: ['announce'],
          error: 'goes by prefix alone: the addresses are told before key or interface are known',
        }),
      { error: 'must be written as [[peer]]' },
    )
    .default([])
    .describe('Who may open a context, and what is announced to whom; before policy.allow and policy.deny.'),
  identity: z
    .array(
      z.strictObject(
        {
          name: text(/^[a-z0-9][a-z0-9-]{0,30}$/, 'must be 1 to 31 lower-case letters, digits and hyphens').describe(
            'What loci calls it; part of the name of its key file.',
          ),
          key_file: path
            .optional()
            .describe(
              'Its private key; made at the first start, mode 0600. Default: key-NAME.json in state_directory.',
            ),
          interfaces: z
            .array(interfacePattern, { error: list })
            .default([])
            .describe('Interfaces on which it has addresses; empty: all that take part.'),
        },
        tableText,
      ),
      { error: 'must be written as [[identity]]' },
    )
    .refine((identities) => new Set(identities.map(({ name }) => name)).size === identities.length, {
      error: 'must not give two identities one name',
    })
    .default([])
    .describe('Further identities of this host; programs use one by binding to its address.'),
  hip: hipTable,
});

export type Issue = z.core.$ZodIssue;

/** The configuration that the values of a parsed file mean, or what is wrong with them. */
export function configOf(values: unknown): { readonly config: Config } | { readonly issues: readonly Issue[] } {
  const checked = file.safeParse(values);
  if (!checked.success) return { issues: checked.error.issues };
  const { interfaces, tun, interception, policy, detection, link, peer, identity, hip, ...top } = checked.data;
  return {
    config: {
      profile: top.profile,
      keyFile: top.key_file ?? `${top.state_directory}/key.json`,
      stateDirectory: top.state_directory,
      controlSocket: top.control_socket,
      metricsSocket: top.metrics_socket,
      logLevel: top.log_level,
      interfaces,
      tun,
      interception: {
        mark: interception.mark,
        divertPreference: interception.divert_preference,
        locatorPreference: interception.locator_preference,
        table: interception.table,
        locatorTable: interception.locator_table,
        rtoMinMs: interception.rto_min_ms,
        deliverAllErrors: interception.deliver_all_errors,
      },
      policy: {
        triggerPackets: policy.trigger_packets,
        triggerBytes: policy.trigger_bytes,
        triggerSeconds: policy.trigger_seconds,
        rules: policy.rule.map(({ peer, port, context, ...own }) => ({
          peer,
          port,
          context,
          triggerPackets: own.trigger_packets ?? policy.trigger_packets,
          triggerBytes: own.trigger_bytes ?? policy.trigger_bytes,
          triggerSeconds: own.trigger_seconds ?? policy.trigger_seconds,
        })),
        exemptPorts: policy.exempt_ports,
        allow: policy.allow,
        deny: policy.deny,
        idleMinutes: policy.idle_minutes,
      },
      identities: identity.map(({ name, key_file, interfaces: on }) => ({
        name,
        keyFile: key_file ?? `${top.state_directory}/key-${name}.json`,
        interfaces: on,
      })),
      links: link,
      peers: peer.map((one) => ({ ...one, key: one.key?.toLowerCase() })),
      detection: {
        returnAfterSeconds: detection.return_after_seconds,
        probeBudget: detection.probe_budget,
        sendTimeoutMs: present(detection.send_timeout_ms),
      },
      hip: hipConfigOf(hip, top.profile, top.state_directory),
    },
  };
}

function present<Key extends string>(table: Partial<Record<Key, number | undefined>>): Partial<Record<Key, number>> {
  const kept: Partial<Record<Key, number>> = {};
  for (const key in table) {
    const value = table[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept;
}

/** JSON Schema (2020-12) of the configuration file, as published in `docs/locid.schema.json`. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: 'Configuration of locid', ...z.toJSONSchema(file, { io: 'input' }) };
}
