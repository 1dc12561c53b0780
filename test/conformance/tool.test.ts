import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { broken, citedBranches, withNotes } from './branches.ts';
import { citationsBelow, citedIn, citedInStrings, malformedIn } from './citations.ts';
import { judge, markdown, printMatrix } from './matrix.ts';
import { HIP, PROTOCOLS, SHIM6, parseRegister, protocolOf, readRegister } from './register.ts';
import type { Row } from './register.ts';
import { parseReport } from './results.ts';

const rows = PROTOCOLS.flatMap(({ name }) => readRegister(`docs/conformance/${name}.jsonl`));

// ids that stand for nothing, put together so that this file does not cite them
const ONE = ['S6', '901'].join('-');
const TWO = ['S6', '902'].join('-');
const OF_HIP = ['HIP', '901'].join('-');

const row: Row = {
  id: ONE,
  rfc: 5533,
  section: '7',
  level: 'MUST',
  test: 'W',
  text: 'Something happens.',
  status: 'done',
};

describe('the register', () => {
  it.each([
    [SHIM6, 274],
    [HIP, 435],
  ])('of $title has all its requirements, in order', (protocol, length) => {
    expect(rows.filter((one) => protocolOf(one) === protocol).map(({ id }) => id)).toEqual(
      Array.from({ length }, (_, i) => `${protocol.prefix}${String(i + 1).padStart(3, '0')}`),
    );
  });

  it('names deviations that exist', () => {
    const deviations = readFileSync('docs/deviations.md', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .flatMap((line) =>
        (line.split('|')[1] ?? '')
          .replaceAll('*', '')
          .split(',')
          .map((id) => id.trim()),
      );
    const places = rows.filter(({ see }) => see !== undefined).map(({ see = '' }) => see);
    expect(places.length).toBeGreaterThan(5);
    const missing = places.filter((see) => {
      const [file = '', ...id] = see.split(' ');
      if (file === 'docs/deviations.md') return !deviations.includes(id.join(' '));
      return id.length > 0 || !file.startsWith('docs/adr/') || !existsSync(file);
    });
    expect(missing).toEqual([]);
  });

  it('names places to review that exist', () => {
    const places = rows.flatMap(({ where }) => (where === undefined ? [] : [where]));
    expect(places.length).toBeGreaterThan(1);
    const missing = places.filter((where) => {
      const [file = '', name = ''] = where.split(' ');
      return name === '' || !existsSync(file) || !new RegExp(`\\b${name}\\b`).test(readFileSync(file, 'utf8'));
    });
    expect(missing).toEqual([]);
  });

  it.each(PROTOCOLS.map((protocol) => [protocol.name, protocol] as const))(
    'is what docs/conformance/%s.md shows (else: npm run conformance -- --write)',
    (_, protocol) => {
      const own = rows.filter((one) => protocolOf(one) === protocol);
      const text = readFileSync(`docs/conformance/${protocol.name}.md`, 'utf8');
      expect(text).toBe(markdown(protocol, own, citationsBelow('test')));
    },
  );

  it.each([
    ['a line that is no row', { ...row, status: 'perhaps' }],
    ['an unknown field', { ...row, because: 'why' }],
    ['a deviation without a place', { ...row, status: 'deviates' }],
    ['something left out without a reason', { ...row, status: 'n.a.' }],
    ['something open without a reason', { ...row, status: 'open' }],
  ])('refuses %s', (_what, bad) => {
    expect(parseRegister(JSON.stringify(row))).toEqual([row]);
    expect(() => parseRegister(JSON.stringify(bad))).toThrow(TypeError);
  });

  it('refuses an id that comes twice', () => {
    expect(() => parseRegister(`${JSON.stringify(row)}\n${JSON.stringify(row)}\n`)).toThrow('twice');
  });
});

describe('a title', () => {
  it('cites ids wherever they stand, each once', () => {
    expect(citedIn(`${ONE} ${TWO}, and again ${ONE}: does (${TWO}) something`)).toEqual([ONE, TWO]);
    expect(malformedIn(`${ONE} ${TWO}, and (${ONE}): something`)).toBeUndefined();
  });

  it('cites requirements of both protocols; a word that only begins like an id is none', () => {
    expect(citedIn(`${OF_HIP} ${ONE} of a HIP-aware host`)).toEqual([OF_HIP, ONE]);
    expect(malformedIn(`${OF_HIP} ${ONE} of a HIP-aware host`)).toBeUndefined();
  });

  it.each([`${ONE}..903`, `${ONE}-903`, `${ONE}/902`, `${ONE}1`, ONE.slice(0, 5), `${OF_HIP}/902`, OF_HIP.slice(0, 6)])(
    'writes ids out: not %s',
    (title) => {
      expect(malformedIn(`${title} does something`)).toBeDefined();
    },
  );

  it('is looked for in strings and templates, not in comments', () => {
    expect(citedInStrings(`it('${ONE} is', () => {}); // ${TWO}`)).toEqual([ONE]);
    expect(citedInStrings(`it(\`\${a} ${TWO}\`, () => {}); /* ${ONE} */`)).toEqual([TWO]);
  });

  it('of every test in the work tree cites requirements that exist', () => {
    const ids = new Set(rows.map(({ id }) => id));
    const cited = [...citationsBelow('test')].flatMap(([file, found]) => found.map((id) => ({ file, id })));
    expect(cited.length).toBeGreaterThan(200);
    expect(cited.filter(({ id }) => !ids.has(id))).toEqual([]);
  });
});

describe('the matrix', () => {
  const passed = { file: 'test/a.test.ts', title: `a machine ${ONE} does`, status: 'passed', durationMs: 1 } as const;
  const failed = { ...passed, title: `a machine ${ONE} does not`, status: 'failed' } as const;

  it.each([
    ['done and shown', row, [passed], undefined],
    ['done, and one of its tests fails', row, [passed, failed], 'fails: a machine'],
    ['done without a test', row, [], 'no test'],
    ['done, its test skipped', row, [{ ...passed, status: 'skipped' } as const], 'no test'],
    ['for review', { ...row, test: 'R', where: 'src/a.ts f' }, [], undefined],
    ['for review, but observable', { ...row, where: 'src/a.ts f' }, [], 'no test'],
    ['open, though a test passes', { ...row, status: 'open', reason: 'why' } as const, [passed], 'open: why'],
    ['of HIP and open', { ...row, id: OF_HIP, status: 'open', reason: 'why' } as const, [], undefined],
    ['not applicable', { ...row, status: 'n.a.', reason: 'why' } as const, [], undefined],
    ['a deviation', { ...row, status: 'deviates', see: 'docs/adr/1.md' } as const, [], undefined],
    ['a deviation whose test fails', { ...row, status: 'deviates', see: 'docs/adr/1.md' } as const, [failed], 'fails'],
  ])('judges a requirement that is %s', (_what, judged: Row, results, problem) => {
    const matrix = judge([judged], results);
    expect(matrix.ok).toBe(problem === undefined);
    if (problem === undefined) expect(matrix.verdicts[0]?.problem).toBeUndefined();
    else expect(matrix.verdicts[0]?.problem).toContain(problem);
    expect(printMatrix(matrix)).toContain(problem ?? 'every requirement is shown');
  });

  it.each([
    ['an id that does not exist', { ...passed, title: `${TWO} does` }, TWO],
    ['a short form', { ...passed, title: `${ONE}..902 do` }, `${ONE}..902`],
    ['a file that cannot be loaded', { ...failed, title: '(the file) why' }, '(the file) why'],
  ])('refuses %s', (_what, result, named) => {
    const { ok, strays } = judge([row], [passed, result]);
    expect(ok).toBe(false);
    expect(strays.join()).toContain(named);
  });

  it('reads the report of vitest', () => {
    const report = {
      testResults: [
        {
          name: '/x/test/a.test.ts',
          status: 'passed',
          assertionResults: [
            { fullName: 'one', status: 'passed', duration: 3.5 },
            { fullName: 'two', status: 'pending' },
          ],
        },
        { name: '/x/test/b.test.ts', status: 'failed', message: 'no such thing\nat', assertionResults: [] },
      ],
    };
    expect(parseReport(report, '/x')).toEqual([
      { file: 'test/a.test.ts', title: 'one', status: 'passed', durationMs: 3.5 },
      { file: 'test/a.test.ts', title: 'two', status: 'skipped', durationMs: 0 },
      { file: 'test/b.test.ts', title: '(the file) no such thing', status: 'failed', durationMs: 0 },
    ]);
  });
});

describe('branches to break', () => {
  const source = `
/** §7.13. */
function first(a: number, b: number): number {
  if (a < b && b !== 3) return 1;
  for (let i = 0; i < a; i++) b++;
  switch (a) {
    case 1:
      return b > 2 ? 5 : 6;
    default:
      return 7;
  }
}
function second(a: number): number {
  if (a > 3) return 1; // RFC 6724 §5
  // RFC 5533 §7.1
  if (a === 4) return 2;
  return a <= 5 ? 1 : 2;
}
`;

  it('stand where a comment cites a section of these RFCs; conditions of loops do not count', () => {
    const found = citedBranches('src/shim6/a.ts', source).map(({ line, original, mutated }) => [
      line,
      original,
      mutated,
    ]);
    expect(found).toEqual([
      [4, 'a < b && b !== 3', '!(a < b && b !== 3)'],
      [4, '&&', '||'],
      [4, '<', '<='],
      [4, '!==', '==='],
      [7, '1', 'Symbol()'],
      [8, 'b > 2', '!(b > 2)'],
      [8, '>', '>='],
      [16, 'a === 4', '!(a === 4)'],
    ]);
    expect(citedBranches('src/wire/a.ts', source).map(({ line }) => line)).toEqual([16]);
  });

  it('are broken one at a time, and noted without a change of what the code does', () => {
    const branches = citedBranches('src/shim6/a.ts', source);
    expect(branches.map((branch) => broken(source, branch)).join()).toContain('if (!(a < b && b !== 3)) return 1;');
    const run = (text: string, a: number, b: number): unknown => {
      const { outputText } = ts.transpileModule(`${text}\nreturn first(a, b);`, {
        compilerOptions: { target: ts.ScriptTarget.ES2023 },
      });
      return Reflect.apply(new Function('a', 'b', 'note', outputText), undefined, [a, b, (n: number) => taken.add(n)]);
    };
    const taken = new Set<number>();
    const noted = withNotes(source, branches, 10, 'note');
    for (const [a, b] of [
      [1, 2],
      [2, 1],
      [1, 0],
      [5, 9],
    ] as const)
      expect(run(noted, a, b)).toBe(run(source, a, b));
    taken.clear();
    run(noted, 2, 1);
    expect([...taken].sort()).toEqual([10, 11, 12]); // b !== 3 and case 1 are not reached
  });

  it('of the sources can all be broken and noted without a mistake in the syntax', () => {
    const diagnose = (text: string): number =>
      ts.transpileModule(text, { reportDiagnostics: true }).diagnostics?.length ?? 0;
    let count = 0;
    for (const folder of ['shim6', 'reap', 'cga', 'host']) {
      for (const name of readdirSync(`src/${folder}`).filter((file) => file.endsWith('.ts'))) {
        const file = join('src', folder, name);
        const text = readFileSync(file, 'utf8');
        const branches = citedBranches(file, text);
        count += branches.length;
        expect(diagnose(withNotes(text, branches, 0, 'note')), file).toBe(0);
        for (const branch of branches) expect(diagnose(broken(text, branch)), file).toBe(0);
      }
    }
    expect(count).toBeGreaterThan(200);
  });
});
