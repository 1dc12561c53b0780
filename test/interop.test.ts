import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SCENARIO_NAMES } from '../interop/names.ts';
import { parseOptions } from '../interop/options.ts';
import { casesOf, linesOf, statusOf } from '../interop/report.ts';
import type { Report, Result, Verdict } from '../interop/report.ts';
import { SCENARIOS, expectInOrder } from '../interop/scenarios.ts';
import { BUILT_IN, Standings } from '../interop/endpoint.ts';
import type { Endpoint } from '../interop/endpoint.ts';
import { contextTag } from '../src/shim6/tag.ts';

const folder = mkdtempSync(join(tmpdir(), 'loci-interop-test-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const script = join(folder, 'endpoint');
writeFileSync(script, '#!/bin/sh\n');
chmodSync(script, 0o755);
const plain = join(folder, 'plain');
writeFileSync(plain, '');
chmodSync(plain, 0o644);

const NAMES = ['loci-fast', 'loci-balanced', 'loci-rfc'];

describe('the command line of interop', () => {
  it('means every built-in endpoint with every other one, in every scenario', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ initiators: NAMES, responders: NAMES, scenarios: SCENARIO_NAMES, json: false });
    expect(options && casesOf(options.endpoints, options.initiators, options.responders)).toHaveLength(9);
  });

  it('adds foreign endpoints by their path, which meet the built-in ones and not each other', () => {
    const options = parseOptions(['--endpoint', `one=${script}`, '--endpoint', `two=${script}`, '--json']);
    expect(options?.endpoints.slice(3)).toEqual([
      { name: 'one', kind: 'foreign', path: script },
      { name: 'two', kind: 'foreign', path: script },
    ]);
    const cases = casesOf(options?.endpoints ?? [], options?.initiators ?? [], options?.responders ?? []);
    expect(cases).toHaveLength(9 + 2 * 2 * 3);
    expect(cases.every(({ initiator, responder }) => initiator.kind === 'loci' || responder.kind === 'loci')).toBe(
      true,
    );
  });

  it('chooses by name', () => {
    const args = [
      '--initiator',
      'loci-rfc',
      '--responder',
      'loci-fast,loci-rfc',
      '--scenario',
      'teardown,establishment',
    ];
    expect(parseOptions(args)).toMatchObject({
      initiators: ['loci-rfc'],
      responders: ['loci-fast', 'loci-rfc'],
      scenarios: ['establishment', 'teardown'], // in the order in which they run
    });
  });

  it.each([
    [['--endpoint', 'linshim6'], /NAME=PATH/],
    [['--endpoint', 'linshim6='], /NAME=PATH/],
    [['--endpoint', `bad name=${script}`], /NAME=PATH/],
    [['--endpoint', 'linshim6=/no/such/file'], /\/no\/such\/file.*ENOENT.*executable/],
    [['--endpoint', `linshim6=${folder}`], /not a file/],
    [['--endpoint', `loci-fast=${script}`], /already an endpoint loci-fast/],
    [['--scenario', 'nonsense'], /no scenario "nonsense"; there are establishment/],
    [['--initiator', 'linshim6'], /no endpoint "linshim6"/],
    [['--nonsense'], /unknown option/],
    [['surplus'], /too many arguments/],
  ])('refuses %j, says why, and ends with 2', (args, message) => {
    expect(() => parseOptions(args)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) as string }),
    );
  });

  it('refuses a file that may not be executed', () => {
    // root may open anything, but even root may not execute what nobody may
    expect(() => parseOptions(['--endpoint', `linshim6=${plain}`])).toThrow(/EACCES/);
  });
});

const result = (initiator: string, responder: string, scenario: Result['scenario'], verdict: Verdict): Result => ({
  initiator,
  responder,
  scenario,
  verdict,
  reason: verdict === 'pass' ? '' : `why ${verdict}`,
  log: `/logs/${initiator}--${responder}/${scenario}`,
});
const report = (...verdicts: readonly Verdict[]): Report => ({
  endpoints: ['loci-fast', 'x'],
  scenarios: ['establishment', 'teardown'],
  results: verdicts.map((verdict, i) =>
    result('loci-fast', i < 2 ? 'loci-fast' : 'x', i % 2 === 0 ? 'establishment' : 'teardown', verdict),
  ),
});

describe('the report', () => {
  it('is the document that contracts.md gives', () => {
    const document: unknown = JSON.parse(JSON.stringify(report('pass', 'fail')));
    expect(Object.keys(document ?? {})).toEqual(['endpoints', 'scenarios', 'results']);
    expect(document).toHaveProperty(['results', 1], {
      initiator: 'loci-fast',
      responder: 'loci-fast',
      scenario: 'teardown',
      verdict: 'fail',
      reason: 'why fail',
      log: '/logs/loci-fast--loci-fast/teardown',
    });
  });

  it('is good when all that is supported passed, and something was', () => {
    expect(statusOf(report('pass', 'pass'))).toBe(0);
    expect(statusOf(report('pass', 'unsupported'))).toBe(0);
    expect(statusOf(report('pass', 'fail'))).toBe(1);
    expect(statusOf(report('unsupported', 'unsupported'))).toBe(1);
    expect(statusOf(report())).toBe(1);
  });

  it('is a matrix for people, with the reasons below', () => {
    expect(linesOf(report('pass', 'fail', 'unsupported', 'pass'))).toEqual([
      'initiator > responder  establishment  teardown',
      'loci-fast > loci-fast  pass           FAIL',
      'loci-fast > x          -              pass',
      '',
      'loci-fast > loci-fast, teardown: why fail (/logs/loci-fast--loci-fast/teardown)',
      '',
      '2 pass, 1 fail, 1 unsupported',
    ]);
  });
});

describe('the scenarios', () => {
  it('are the ones that can be named', () => {
    expect(Object.keys(SCENARIOS)).toEqual([...SCENARIO_NAMES]);
    for (const name of SCENARIO_NAMES) expect(SCENARIOS[name].name).toBe(name);
  });

  it('want messages in their order, whatever comes between', () => {
    const options = {};
    const keepalive = { type: 'Keepalive', receiverContextTag: contextTag(1), options } as const;
    const i1 = { type: 'I1', initiatorContextTag: contextTag(1), initiatorNonce: 1, options } as const;
    const r1 = { type: 'R1', initiatorNonce: 1, responderNonce: 1, options } as const;
    const seen = [
      { at: 1, by: 'initiator', message: i1 },
      { at: 2, by: 'responder', message: keepalive },
      { at: 3, by: 'responder', message: r1 },
    ] as const;
    expect(() => {
      expectInOrder(seen, ['I1 initiator', 'R1 responder']);
    }).not.toThrow();
    expect(() => {
      expectInOrder(seen, ['R1 responder', 'I1 initiator']);
    }).toThrow('no I1 of the initiator');
    expect(() => {
      expectInOrder(seen, ['I1 responder']);
    }).toThrow('no I1 of the responder');
  });
});

describe('endpoints', () => {
  it('are built in for each profile', () => {
    expect(BUILT_IN.map((endpoint: Endpoint) => endpoint.name)).toEqual(NAMES);
  });

  it('tell their contexts in one shape, and nothing less', () => {
    const context = {
      ulids: ['2001:db8::1', '2001:db8::2'],
      state: 'ESTABLISHED',
      pair: ['2001:db8::1', '2001:db8::2'],
      tagLocal: '000000000001',
      tagPeer: null,
      peerLocators: [{ address: '2001:db8::2', broken: false }],
    };
    expect(Standings.safeParse([{ ...context, more: 1 }]).success).toBe(true);
    expect(Standings.safeParse([{ ...context, pair: ['2001:db8::1'] }]).success).toBe(false);
    expect(Standings.safeParse([{ ...context, tagPeer: undefined }]).success).toBe(false);
  });
});
