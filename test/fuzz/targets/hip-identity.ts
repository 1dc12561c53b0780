import { encodeQuery, parseResponse } from '../../../src/hip/dns-message.ts';
import { hipRecordLength, identityOfRecord, parseHipRecord, writeHipRecord } from '../../../src/hip/dns-record.ts';
import { hostIdentityOf, parseHostIdentity } from '../../../src/hip/host-identity.ts';
import { parseHostsFile } from '../../../src/hip/hosts-file.ts';
import { hitOf, verifyHit } from '../../../src/hip/orchid.ts';
import { nodeHipCrypto } from '../../../src/node/hip-crypto.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import { Writer } from '../../../src/wire/writer.ts';
import { ip } from '../../cga/vectors.ts';
import { cnameData, encodeResponse } from '../../hip/dns-server.ts';
import { IDENTITIES, RSA_HI } from '../../hip/identities.ts';
import type { Target } from '../targets.ts';
import { text } from './wire.ts';

const record = {
  hit: ip(IDENTITIES[0]?.hit ?? '::'),
  publicKeyAlgorithm: 2,
  publicKey: RSA_HI,
  rendezvousServers: ['rvs.example', '.'],
};

function written(one: typeof record): Uint8Array {
  const w = new Writer(hipRecordLength(one));
  writeHipRecord(w, one);
  return w.finish();
}

const answers = [
  { name: 'peer.example', type: 5, ttlSeconds: 60, data: cnameData('host.example') },
  { name: 'host.example', type: 55, ttlSeconds: 60, data: written(record) },
];

/** What names and proves a Host Identity: HOST_ID, DNS, the hosts file. */
export const hipIdentityTargets: Readonly<Record<string, Target>> = {
  'Host Identity': {
    isSlow: true,
    run: (bytes) => {
      const parsed = parseHostIdentity(bytes[0] ?? 0, bytes.subarray(1));
      if (!parsed.ok) return false;
      const { algorithm, hostIdentity, key } = parsed.value;
      if (!sameOctets(hostIdentity, bytes.subarray(1))) throw new Error('keeps other octets');
      const again = parseHostIdentity(algorithm, hostIdentityOf(key).hostIdentity);
      if (!again.ok) throw new Error('does not read what it wrote');
      if (!verifyHit(nodeHipCrypto, hitOf(nodeHipCrypto, parsed.value), parsed.value))
        throw new Error('no HIT of its own');
      nodeHipCrypto.verify(key, bytes, new Uint8Array(64));
      return key.type;
    },
    corpus: IDENTITIES.map(({ algorithm, hostIdentity }) => Uint8Array.of(algorithm, ...hostIdentity)),
    reaches: ['rsa', 'ecdsa', 'eddsa'],
  },
  'HIP resource record': {
    run: (bytes) => {
      const parsed = parseHipRecord(bytes);
      if (!parsed.ok) return false;
      const w = new Writer(hipRecordLength(parsed.value));
      writeHipRecord(w, parsed.value);
      if (!sameOctets(w.finish(), bytes)) throw new Error('does not write what it read');
      return identityOfRecord(nodeHipCrypto, parsed.value) === undefined ? 'unproven' : 'proven';
    },
    corpus: [written(record), written({ ...record, hit: record.hit.slice(1) })],
    reaches: ['proven', 'unproven'],
  },
  'DNS response': {
    run: (bytes) => {
      const parsed = parseResponse(bytes);
      return parsed.ok && (parsed.value.answers.length > 0 ? 'answers' : 'no answers');
    },
    corpus: [
      encodeResponse(encodeQuery(1, 'peer.example', 55), { answers }),
      encodeResponse(encodeQuery(1, 'peer.example', 55), { answers: [], isTruncated: true }),
    ],
    reaches: ['answers', 'no answers'],
  },
  'HIP hosts file': {
    run: (bytes) => parseHostsFile(new TextDecoder().decode(bytes)).ok,
    corpus: [
      text('# peers\n2001:21::1 peer.example 2001:db8::1 192.0.2.1\n\n2001:22::2 other\n'),
      text('2001:3f:fe00:5:5e60:a157:1e91:a0b7 2001:db8:a::1'),
    ],
  },
};
