import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as loci from '../src/index.ts';
import { lociProgram } from '../src/cli/program.ts';
import { loadConfig } from '../src/daemon/load.ts';
import { locidProgram } from '../src/daemon/program.ts';
import { configJsonSchema } from '../src/daemon/schema.ts';

const documents = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read('package.json')));

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function blocks(file: string, language: string): string[] {
  return [...read(file).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, body = '']) => body,
  );
}

const shellLines = documents.flatMap((file) =>
  blocks(file, 'sh')
    .flatMap((body) => body.split('\n').filter((line) => line !== ''))
    .map((line) => ({ file, line })),
);

/** The command that some words lead to, and the words left for it. */
function resolve(program: Command, words: readonly string[]): { command: Command; rest: readonly string[] } {
  const next = program.commands.find((command) => command.name() === words[0]);
  return next === undefined ? { command: program, rest: words } : resolve(next, words.slice(1));
}

describe('the documents', () => {
  it.each(shellLines)('name a command that exists: $line ($file)', ({ line }) => {
    const words = line.split(/\s+/);
    const [tool, ...rest] = words;
    if (tool === 'npm') {
      const script = rest[0] === 'run' ? rest.find((word, i) => i > 0 && !word.startsWith('-')) : rest[0];
      expect([...Object.keys(scripts), 'ci']).toContain(script);
      return;
    }
    if (tool === 'locid') {
      const options = rest.filter((word) => word.startsWith('--'));
      const known = locidProgram().options.map((option) => option.long);
      for (const option of options) expect(known).toContain(option);
      return;
    }
    expect(tool).toBe('loci');
    const terminal = {
      out: () => undefined,
      err: () => undefined,
      coloured: false,
      enough: new AbortController().signal,
    };
    const program = lociProgram(terminal);
    const { command, rest: left } = resolve(program, rest);
    expect(command).not.toBe(program);
    const known = [...program.options, ...command.options].map((option) => option.long);
    for (const option of left.filter((word) => word.startsWith('--'))) expect(known).toContain(option);
    const operands = left.filter((word) => !word.startsWith('--'));
    expect(operands).toHaveLength(command.registeredArguments.length);
  });

  it.each(documents)('%s links to files and headings that exist', (file) => {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', heading] = target.split('#');
      const linked = path === '' ? file : join(dirname(file), path);
      expect(existsSync(linked), `${file} links to ${target}`).toBe(true);
      const slugs = [...read(linked).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
        text.toLowerCase().replaceAll(' ', '-'),
      );
      if (heading !== undefined) expect(slugs).toContain(heading);
    }
  });

  it('name source files that exist', () => {
    for (const file of documents) {
      for (const [, path = ''] of read(file).matchAll(/`((?:src|test|native|examples|docs)\/[\w./-]+\.\w+)`/g)) {
        expect(existsSync(path), `${file} names ${path}`).toBe(true);
      }
    }
  });

  it('describe every key of the configuration, with its default', () => {
    const table = read('docs/operating.md');
    const visit = (schema: unknown, prefix: string): void => {
      const { properties } = z.object({ properties: z.record(z.string(), z.looseObject({})) }).parse(schema);
      for (const [key, inner] of Object.entries(properties)) {
        if ('properties' in inner) visit(inner, `${prefix}${key}.`);
        else if (prefix.startsWith('detection.send')) expect(table).toContain(`.${key}\``);
        else expect(table).toContain(`| \`${prefix}${key}\` |`);
        if (key === 'mark' || !('default' in inner) || 'properties' in inner) continue;
        expect(table).toContain(`| \`${prefix}${key}\` | \`${JSON.stringify(inner['default'])}\` |`);
      }
    };
    visit(configJsonSchema(), '');
  });

  it('keep decisions to 30 lines', () => {
    for (const file of documents.filter((name) => name.startsWith('docs/adr/'))) {
      expect(read(file).split('\n').length - 1, file).toBeLessThanOrEqual(30);
    }
  });
});

describe('the examples', () => {
  it('of a configuration is valid', () => {
    expect(loadConfig('examples/locid.toml').profile).toBe('fast');
  });

  it('of the library in the README runs and says what it should', async () => {
    const [code = ''] = blocks('README.md', 'ts');
    const [statement = '', names = ''] = /^import \{([^}]*)\} from 'loci';\n/m.exec(code) ?? [];
    const imported = names
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    expect(Object.keys(loci)).toEqual(expect.arrayContaining(imported));
    const body = ts.transpileModule(code.replace(statement, ''), {
      compilerOptions: { target: ts.ScriptTarget.ES2023 },
    });
    const said: unknown[][] = [];
    const shown = { log: (...words: unknown[]) => said.push(words) };
    const library = new Map<string, unknown>(Object.entries(loci));
    await new Function('console', ...imported, body.outputText)(shown, ...imported.map((name) => library.get(name)));
    expect(said).toEqual([[expect.stringMatching(/^2001:db8:a:2:/), true]]);
  });
});
