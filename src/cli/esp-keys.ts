import type { EspKeysSnapshot } from '../host/show-associations.ts';

const CBC = 'AES-CBC [RFC3602]';
const NOTHING = 'NULL';

/** Encryption and authentication of a suite of RFC 7402 §5.1.2, as Wireshark calls them; the others it does not know. */
const NAMES: Readonly<Record<number, readonly [string, string]>> = {
  1: [CBC, 'HMAC-SHA-1-96 [RFC2404]'],
  7: [NOTHING, 'HMAC-SHA-256-128 [RFC4868]'],
  8: [CBC, 'HMAC-SHA-256-128 [RFC4868]'],
  9: [CBC, 'HMAC-SHA-256-128 [RFC4868]'],
  13: ['AES-GCM with 16 octet ICV [RFC4106]', NOTHING],
};

/** The file esp_sa of Wireshark: eight fields a line. Outer addresses change; SPIs tell SAs apart. */
export function wiresharkTable(keys: readonly EspKeysSnapshot[]): string {
  return keys.map(wiresharkLine).join('');
}

function wiresharkLine({ spi, suite, encryption, authentication }: EspKeysSnapshot): string {
  const names = NAMES[suite];
  if (names === undefined) return `# ${spi}: Wireshark does not know suite ${String(suite)}\n`;
  const key = (hex: string): string => (hex === '' ? '' : `0x${hex}`);
  const fields = ['IPv6', '*', '*', spi, names[0], key(encryption), names[1], key(authentication)];
  return `${fields.map((field) => `"${field}"`).join(',')}\n`;
}

/** As people read it. */
export function espKeysView(keys: readonly EspKeysSnapshot[]): string {
  if (keys.length === 0) return 'no keys: there is no association\n';
  return keys
    .map(
      ({ spi, suite, source, destination, encryption, authentication }) =>
        `${spi} suite ${String(suite)} ${source} → ${destination} ${encryption} ${authentication}`.trimEnd() + '\n',
    )
    .join('');
}
