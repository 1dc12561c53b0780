import { generateKeyPairSync } from 'node:crypto';
import { nodeCrypto, rsaSigner } from '../../node/crypto.ts';
import { demonstrate } from '../../sim/demonstration.ts';
import type { Signer } from '../../crypto/ports.ts';
import type { Moment, RunOptions, RunResult } from './measure.ts';
import { tenths } from './traffic.ts';

const MODULUS_BITS = 2_048;

/** The same two hosts and failures in virtual time: no devices, no privileges, no kernel between the programs and Loci. */
export function simulateRun(options: RunOptions, show: (moment: Moment) => void): Promise<RunResult> {
  const { failure, cause, profile, rate, seed } = options;
  const run = demonstrate({
    failure,
    carrier: cause === 'carrier',
    rate,
    seed,
    crypto: nodeCrypto,
    signers: { a: freshSigner(), b: freshSigner() },
    settings: { profile },
  });
  const { failedAt, stream, datagrams, pairBefore, pairAfter } = run;
  show({ at: failedAt - 1, kind: 'flowing', source: pairBefore[0], destination: pairBefore[1] });
  show({ at: failedAt, kind: 'failure', what: `${failure}, in virtual time` });
  for (const event of run.events) {
    if (event.at >= failedAt) show({ at: event.at, kind: 'noticed', event });
  }
  const result: RunResult = {
    ok: stream.complete,
    ...(stream.complete ? {} : { reason: 'the stream did not arrive to its end' }),
    tcp: {
      bytes: stream.octets,
      sha256Match: stream.complete,
      sameConnection: stream.complete,
      stallMs: tenths(stream.stallMs),
    },
    udp: { sent: datagrams.sent, lost: datagrams.lost, gapMs: tenths(datagrams.gapMs) },
    detectMs: run.detectMs === undefined ? null : tenths(run.detectMs),
    recoverMs: run.recoverMs === undefined ? null : tenths(run.recoverMs),
    pairBefore,
    pairAfter,
  };
  show({ at: failedAt, kind: 'finished', result });
  return Promise.resolve(result);
}

function freshSigner(): Signer {
  return rsaSigner(generateKeyPairSync('rsa', { modulusLength: MODULUS_BITS }).privateKey);
}
