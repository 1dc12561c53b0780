import { describe } from 'vitest';
import { MemoryEsp } from '../../src/sim/esp.ts';
import { espContract } from './esp-contract.ts';
import { octets } from './vectors.ts';

describe('ESP in memory', () => {
  espContract(() => new MemoryEsp((length) => octets(length, 17)));
});
