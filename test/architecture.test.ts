import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Who may import whom, and which packages. The order is the direction: a layer sees only layers above it. */
const LAYERS: Readonly<Record<string, { readonly sees: readonly string[]; readonly packages?: readonly string[] }>> = {
  wire: { sees: [] },
  crypto: { sees: ['wire'] },
  cga: { sees: ['wire', 'crypto'] },
  locators: { sees: ['wire'] },
  reap: { sees: ['wire', 'crypto', 'locators'] }, // crypto: the Random port
  shim6: { sees: ['wire', 'crypto', 'cga', 'locators', 'reap'] },
  esp: { sees: ['wire', 'crypto'] },
  hip: { sees: ['wire', 'crypto', 'locators', 'reap'] },
  host: { sees: ['wire', 'crypto', 'cga', 'locators', 'reap', 'shim6', 'esp', 'hip'] },
  sim: { sees: ['wire', 'crypto', 'cga', 'locators', 'reap', 'shim6', 'esp', 'hip', 'host'] },
  node: {
    sees: ['wire', 'crypto', 'cga', 'locators', 'reap', 'shim6', 'esp', 'hip', 'host'],
    packages: ['raw-socket'],
  },
  daemon: {
    sees: ['wire', 'crypto', 'cga', 'locators', 'reap', 'shim6', 'esp', 'hip', 'host', 'node'],
    packages: ['commander', 'ip-num', 'pino', 'prom-client', 'smol-toml', 'zod'],
  },
  dissect: { sees: ['wire', 'crypto', 'cga', 'reap', 'shim6', 'esp', 'hip'] },
  cli: {
    sees: [
      'wire',
      'crypto',
      'cga',
      'locators',
      'reap',
      'shim6',
      'esp',
      'hip',
      'host',
      'sim',
      'node',
      'daemon',
      'dissect',
    ],
    packages: ['commander', 'smol-toml', 'zod'],
  },
};

const PURE = ['wire', 'crypto', 'cga', 'locators', 'reap', 'shim6', 'esp', 'hip', 'host', 'sim', 'dissect'];
const IMPURE_NAMES = new Set([
  ...['Date', 'Buffer', 'process', 'performance', 'require', 'globalThis'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
]);
const VAGUE_NAMES = ['utils.ts', 'helpers.ts', 'common.ts', 'types.ts'];
const LONGEST = 400;

interface Import {
  readonly file: string;
  readonly from: string;
}

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

const files = filesBelow('src', '.ts');
const sources = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
const imports = files.flatMap((file): Import[] =>
  ts.preProcessFile(sources.get(file) ?? '').importedFiles.map(({ fileName }) => ({ file, from: fileName })),
);

function layerOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function targetOf({ file, from }: Import): string {
  return normalize(join(dirname(file), from));
}

function isPure(file: string): boolean {
  return PURE.includes(layerOf(file)) || file === 'src/index.ts';
}

/** Uses of a name that are references, not property names or declarations of members. */
function impureUses(file: string): string[] {
  const tree = ts.createSourceFile(file, sources.get(file) ?? '', ts.ScriptTarget.ES2023, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') found.push(`${file}: Math.random`);
    if (ts.isIdentifier(node) && IMPURE_NAMES.has(node.text) && isReference(node)) found.push(`${file}: ${node.text}`);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  const names = ts.isParameter(parent) || ts.isVariableDeclaration(parent) || ts.isBindingElement(parent);
  if (names) return false; // a name of their own; its uses are looked at as well, so it is still refused when used
  return !(ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isPropertyAssignment(parent));
}

/** The first cycle of imports below each file, as a readable chain. */
function cycles(): string[] {
  const next = new Map<string, string[]>();
  for (const one of imports)
    if (one.from.startsWith('.')) next.set(one.file, [...(next.get(one.file) ?? []), targetOf(one)]);
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (file: string, above: readonly string[]): void => {
    const at = above.indexOf(file);
    if (at >= 0) found.push([...above.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const target of next.get(file) ?? []) walk(target, [...above, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  return found;
}

describe('the layers', () => {
  it('are all in the table', () => {
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(Object.keys(LAYERS)).toEqual(expect.arrayContaining(folders.map(({ name }) => name)));
  });

  it('import only what the table allows', () => {
    const wrong = imports
      .filter(({ from }) => from.startsWith('.'))
      .filter((one) => {
        const layer = layerOf(one.file);
        const target = targetOf(one);
        if (one.file === 'src/index.ts') return !PURE.includes(layerOf(target));
        return layer !== layerOf(target) && LAYERS[layer]?.sees.includes(layerOf(target)) !== true;
      });
    expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([]);
  });

  it('import only files that exist, by their .ts name', () => {
    const relative = imports.filter(({ from }) => from.startsWith('.'));
    expect(relative.length).toBeGreaterThan(50);
    expect(relative.filter((one) => !one.from.endsWith('.ts') || !existsSync(targetOf(one)))).toEqual([]);
  });

  it('use only their packages; the pure ones @noble alone', () => {
    const wrong = imports.filter(({ file, from }) => {
      if (from.startsWith('.')) return false;
      if (from.startsWith('node:')) return isPure(file);
      const name = from
        .split('/')
        .slice(0, from.startsWith('@') ? 2 : 1)
        .join('/');
      return isPure(file) ? !name.startsWith('@noble/') : LAYERS[layerOf(file)]?.packages?.includes(name) !== true;
    });
    expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([]);
  });

  it('that are pure know no clock, timer, chance or process', () => {
    expect(files.filter(isPure).flatMap(impureUses)).toEqual([]);
  });

  it('have no cycles', () => {
    expect(cycles()).toEqual([]);
  });
});

describe('files', () => {
  it('are named after a concept', () => {
    expect(files.filter((file) => VAGUE_NAMES.includes(basename(file)))).toEqual([]);
  });

  it(`have at most ${String(LONGEST)} lines, in src and in native`, () => {
    const long = [...files, ...filesBelow('native', '.c'), ...filesBelow('native', '.h')]
      .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > LONGEST);
    expect(long).toEqual([]);
  });

  it('of the library re-export by name', () => {
    expect(readFileSync('src/index.ts', 'utf8')).not.toMatch(/export \*/);
  });
});
