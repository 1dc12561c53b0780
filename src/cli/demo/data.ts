import { createCipheriv, createHash } from 'node:crypto';

/** Not a power of two, so that octets shifted by a whole segment never look like the right ones. */
const LENGTH = 1_048_583;

/** Octets that look random, and are the same for the same seed. */
export function seededOctets(seed: number): Buffer {
  const key = createHash('sha256')
    .update(`loci demonstration ${String(seed)}`)
    .digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(LENGTH));
}
