import { describe } from 'vitest';
import { NativeEsp } from '../../src/node/esp.ts';
import { espContract } from '../esp/esp-contract.ts';

describe('ESP by the addon', () => {
  espContract(() => new NativeEsp());
});
